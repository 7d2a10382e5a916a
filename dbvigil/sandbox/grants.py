"""What an account may do: the least for monitoring, and what replication needs. The docs quote these."""

from __future__ import annotations

MONITORING_GRANTS: dict[str, tuple[str, ...]] = {
    "mysql": (
        "PROCESS ON *.*",
        "REPLICATION CLIENT ON *.*",
        "SELECT ON performance_schema.*",
        "SELECT ON sys.*",
    ),
    "mariadb": (
        "PROCESS ON *.*",
        "BINLOG MONITOR ON *.*",
        "REPLICA MONITOR ON *.*",
        "SELECT ON performance_schema.*",
        "SELECT ON sys.*",
    ),
}
"""By flavor, the least that a monitoring account needs; each is the text between GRANT and TO."""

REPLICATION_GRANTS: tuple[str, ...] = ("REPLICATION SLAVE ON *.*",)
"""What a replica's account on its source needs; the old word is the one that both flavors take."""

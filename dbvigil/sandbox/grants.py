"""What an account may do: the least for monitoring, what slow queries, backups and replication need. The docs quote these."""

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

SLOW_LOG_GRANTS: tuple[str, ...] = ("SELECT ON mysql.slow_log",)
"""What reading a slow log needs that is kept as a table."""


def schema_grants(schema: str, *, views: bool = False) -> tuple[str, ...]:
    """What plans of statements on `schema`, and the description of its tables, need; with `views`, where such statements use views."""
    # In this place alone, _ and % stand for other characters.
    name = schema.replace("`", "``").replace("_", "\\_").replace("%", "\\%")
    return (f"SELECT ON `{name}`.*", *((f"SHOW VIEW ON `{name}`.*",) if views else ()))


BACKUP_GRANTS: dict[str, tuple[str, ...]] = {
    "mysql": (
        "SELECT ON *.*",
        "SHOW VIEW ON *.*",
        "TRIGGER ON *.*",
        "EVENT ON *.*",
        "SHOW_ROUTINE ON *.*",
        "PROCESS ON *.*",
        "REPLICATION CLIENT ON *.*",
    ),
    "mariadb": (
        "SELECT ON *.*",
        "SHOW VIEW ON *.*",
        "TRIGGER ON *.*",
        "EVENT ON *.*",
        "PROCESS ON *.*",
        "BINLOG MONITOR ON *.*",
    ),
}
"""By flavor, what an account needs that backs a whole server up."""

PHYSICAL_BACKUP_GRANTS: tuple[str, ...] = (*BACKUP_GRANTS["mariadb"], "RELOAD ON *.*")
"""What it needs for `mariadb-backup`: its BACKUP STAGE statements take RELOAD, all else is read to compare with."""


REPLICATION_GRANTS: tuple[str, ...] = ("REPLICATION SLAVE ON *.*",)
"""What a replica's account on its source needs; the old word is the one that both flavors take."""

RECOVERY_GRANTS: dict[str, tuple[str, ...]] = {
    "mysql": (
        "PROCESS ON *.*",
        "REPLICATION CLIENT ON *.*",
        "SELECT ON performance_schema.*",
        "CONNECTION_ADMIN ON *.*",
        "SYSTEM_VARIABLES_ADMIN ON *.*",
        "REPLICATION_SLAVE_ADMIN ON *.*",
        "RELOAD ON *.*",
    ),
    "mariadb": (
        "PROCESS ON *.*",
        "REPLICA MONITOR ON *.*",
        "SELECT ON performance_schema.*",
        "CONNECTION ADMIN ON *.*",
        "BINLOG ADMIN ON *.*",
        "REPLICATION SLAVE ADMIN ON *.*",
        "RELOAD ON *.*",
        "SUPER ON *.*",
    ),
}
"""By flavor, what the account of recovery needs for every action; the docs say which one needs which."""

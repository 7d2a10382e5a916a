"""A help desk of many tenants: 160,000 tickets, 400,000 messages, 400 agents, 300 tenants, 120,000 entries of a log.

A few tenants have most tickets, old tickets are closed, only open ones have no end, each agent works for one tenant, and what is written in
a night is rare. The limits of what advice may be called verified were not chosen by this set.
"""

from __future__ import annotations

from benchmarks.support.datasets.base import NUMBERS, DataSet, Natural, run
from dbvigil.sandbox import PrivateServer

_SET_UP = (
    "CREATE TABLE tenant (id INT PRIMARY KEY, name VARCHAR(40) NOT NULL, plan VARCHAR(10) NOT NULL, country CHAR(2) NOT NULL)",
    """CREATE TABLE agent (id INT PRIMARY KEY, tenant_id INT NOT NULL, email VARCHAR(60) NOT NULL, team TINYINT NOT NULL,
        UNIQUE KEY email (email), KEY (tenant_id))""",
    """CREATE TABLE ticket (id INT PRIMARY KEY, tenant_id INT NOT NULL, agent_id INT NULL, state VARCHAR(10) NOT NULL,
        priority TINYINT NOT NULL, opened DATETIME NOT NULL, closed DATETIME NULL, channel VARCHAR(10) NOT NULL,
        reference CHAR(12) NOT NULL, subject VARCHAR(120) NOT NULL,
        KEY (tenant_id), KEY (agent_id))""",
    """CREATE TABLE message (id INT PRIMARY KEY, ticket_id INT NOT NULL, agent_id INT NULL, sent DATETIME NOT NULL, bytes INT NOT NULL,
        body VARCHAR(200) NOT NULL, KEY (ticket_id), KEY (agent_id))""",
    """CREATE TABLE log (id BIGINT PRIMARY KEY, at DATETIME NOT NULL, kind VARCHAR(20) NOT NULL, ticket_id INT NULL, level TINYINT NOT NULL,
        millis INT NOT NULL, text VARCHAR(80) NOT NULL)""",
    f"""INSERT INTO tenant SELECT n + 1, CONCAT('tenant ', n), ELT(1 + FLOOR(POW(RAND(1), 2) * 4), 'free', 'team', 'firm', 'large'),
            ELT(1 + FLOOR(RAND(2) * 5), 'de', 'fr', 'nl', 'at', 'ch') FROM ({NUMBERS}) x WHERE n < 300""",
    f"""INSERT INTO agent SELECT n + 1, 1 + FLOOR(POW(RAND(3), 2) * 300), CONCAT('a', n, '@desk.example'), n % 7
          FROM ({NUMBERS}) x WHERE n < 400""",
    *(
        f"""INSERT INTO ticket
        SELECT id, tenant, IF(draw < 0.1, NULL, 1 + (tenant * 7 + FLOOR(draw * 3)) % 400),
               IF(id > 150000, ELT(1 + FLOOR(draw * 3), 'open', 'waiting', 'closed'), IF(draw < 0.004, 'open', 'closed')),
               1 + FLOOR(POW(draw, 3) * 5), opened,
               IF(id > 150000 OR draw < 0.004, NULL, DATE_ADD(opened, INTERVAL 1 + FLOOR(draw * 9) DAY)),
               ELT(1 + FLOOR(POW(other, 2) * 4), 'mail', 'web', 'phone', 'chat'), CONCAT('T-', LPAD(id * 7919 % 1000003, 8, '0')),
               CONCAT('about ', REPEAT('things ', 6))
          FROM (SELECT n + 1 + {part} AS id, 1 + FLOOR(POW(RAND(4{part}), 4) * 300) AS tenant, RAND(5{part}) AS draw,
                       RAND(6{part}) AS other, DATE_ADD('2023-01-01', INTERVAL FLOOR((n + {part}) * 7.5) MINUTE) AS opened
                  FROM ({NUMBERS}) x WHERE n < 80000) y"""
        for part in (0, 80_000)
    ),
    *(
        f"""INSERT INTO message
        SELECT n + 1 + {part}00000, 1 + FLOOR((n + {part}00000) / 2.5),
               IF(RAND(7{part}) < 0.5, NULL, 1 + FLOOR(POW(RAND(8{part}), 2) * 400)),
               DATE_ADD('2023-01-01', INTERVAL FLOOR((n + {part}00000) * 3 + RAND(9{part}) * 900) MINUTE),
               FLOOR(POW(RAND(10{part}), 4) * 60000), REPEAT('dear you ', 12)
          FROM ({NUMBERS}) x"""
        for part in range(4)
    ),
    *(
        f"""INSERT INTO log
        SELECT 1000000 + (n + {part}) * 3, DATE_ADD('2025-01-01', INTERVAL (n + {part}) * 20 SECOND),
               ELT(1 + FLOOR(POW(RAND(11{part}), 3) * 8), 'seen', 'mail', 'rule', 'login', 'merge', 'export', 'fault', 'spam'),
               IF(RAND(12{part}) < 0.3, NULL, 1 + FLOOR(RAND(13{part}) * 160000)), FLOOR(POW(RAND(14{part}), 5) * 5),
               FLOOR(POW(RAND(15{part}), 6) * 9000), 'what has happened here'
          FROM ({NUMBERS}) x WHERE n < 60000"""
        for part in (0, 60_000)
    ),
    "ANALYZE TABLE tenant, agent, ticket, message, log",
)
_STATEMENTS = (
    "SELECT id, subject FROM ticket WHERE tenant_id = ? AND state = ? ORDER BY opened DESC LIMIT 20",
    "SELECT id, subject FROM ticket WHERE reference = ?",
    "SELECT COUNT(*) FROM ticket WHERE state = ?",
    "SELECT id, subject FROM ticket WHERE state = ? AND priority = ? ORDER BY opened LIMIT 20",
    "SELECT id FROM ticket WHERE closed IS NULL AND opened < ?",
    "SELECT channel, COUNT(*) FROM ticket WHERE opened BETWEEN ? AND ? GROUP BY channel",
    "SELECT id, subject FROM ticket WHERE agent_id = ? AND closed IS NULL",
    "SELECT COUNT(*) FROM ticket WHERE tenant_id = ? AND opened >= ?",
    "SELECT id, sent, body FROM message WHERE ticket_id = ? ORDER BY sent",
    "SELECT SUM(bytes) FROM message WHERE sent BETWEEN ? AND ?",
    "SELECT id, bytes FROM message WHERE bytes > ? ORDER BY sent DESC LIMIT 10",
    "SELECT agent_id, COUNT(*) FROM message WHERE agent_id = ? GROUP BY agent_id",
    """SELECT t.id, m.body FROM ticket t JOIN message m ON m.ticket_id = t.id WHERE t.tenant_id = ? AND t.state = ?""",
    """SELECT n.plan, COUNT(*) FROM tenant n JOIN ticket t ON t.tenant_id = n.id WHERE n.country = ? AND t.priority = ? GROUP BY n.plan""",
    """SELECT a.email, COUNT(*) FROM agent a JOIN ticket t ON t.agent_id = a.id WHERE a.team = ? AND t.opened > ? GROUP BY a.email""",
    "SELECT id, text FROM log WHERE kind = ? ORDER BY at DESC LIMIT 50",
    "SELECT kind, AVG(millis) FROM log WHERE at >= ? GROUP BY kind",
    "SELECT id, at FROM log WHERE millis > ?",
    "SELECT at, text FROM log WHERE ticket_id = ?",
    "SELECT COUNT(*) FROM log WHERE level >= ? AND kind = ?",
    "DELETE FROM log WHERE at < ? AND level = ?",
    "SELECT channel, priority, COUNT(*) FROM ticket GROUP BY channel, priority",
)
_NATURAL = (
    Natural(0, "ticket", ("state",)), Natural(0, "ticket", ("opened",)), Natural(0, "ticket", ("tenant_id", "opened")),
    Natural(0, "ticket", ("tenant_id", "state", "opened")), Natural(1, "ticket", ("reference",)), Natural(2, "ticket", ("state",)),
    Natural(3, "ticket", ("state", "priority")), Natural(3, "ticket", ("priority",)), Natural(3, "ticket", ("state", "opened")),
    Natural(4, "ticket", ("closed",)), Natural(4, "ticket", ("opened",)), Natural(5, "ticket", ("opened", "channel")),
    Natural(6, "ticket", ("agent_id", "closed")), Natural(7, "ticket", ("tenant_id", "opened")),
    Natural(8, "message", ("ticket_id", "sent")),
    Natural(9, "message", ("sent",)), Natural(10, "message", ("bytes",)), Natural(10, "message", ("sent",)),
    Natural(12, "ticket", ("tenant_id", "state")), Natural(13, "ticket", ("priority",)), Natural(14, "ticket", ("opened",)),
    Natural(15, "log", ("at",)), Natural(15, "log", ("kind", "at")), Natural(15, "log", ("kind",)), Natural(16, "log", ("at",)),
    Natural(17, "log", ("millis",)), Natural(18, "log", ("ticket_id",)), Natural(19, "log", ("level", "kind")),
    Natural(20, "log", ("level",)),
    Natural(21, "ticket", ("channel", "priority")),
)  # fmt: skip


def _load(server: PrivateServer, seed: int) -> None:
    run(server, _SET_UP, seed)


DESK = DataSet("desk", _load, ("tenant", "agent", "ticket", "message", "log"), _STATEMENTS, _NATURAL)

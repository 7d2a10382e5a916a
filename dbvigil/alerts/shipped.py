"""The rules that ship: a table."""

from __future__ import annotations

from collections.abc import Mapping

from dbvigil.alerts.rule import DOWN, REPLICATION_RUNNING, RESTARTED, Rule

SHIPPED: tuple[Rule, ...] = (
    Rule(
        DOWN,
        "up",
        "Nothing works without the server; a refused connection has been tried twice before it counts.",
        (
            "look at the server's error log and whether its process runs",
            "check the host: power, disk space, memory, network",
            "start the server again and watch its recovery in the error log",
        ),
        condition="critical",
        critical=0.0,
        keep=0.0,
        runbook="server-down",
    ),
    Rule(
        RESTARTED,
        "uptime",
        "A server that restarts by itself does it again; whoever restarted it on purpose can let this pass.",
        (
            "look in the server's error log for why it ended: a crash, the out-of-memory killer, an upgrade",
            "expect slow queries until the buffer pool is warm",
        ),
        warning=300.0,
        bad="low",
        clear=0.0,
        keep=0.0,
        runbook="server-restarted",
    ),
    Rule(
        "connection_usage",
        "connection_usage",
        "At 100 % the server refuses everyone; a short rush at the start of a deployment is over within a minute.",
        (
            "find who holds connections: the evidence lists the greatest holders",
            "close idle ones, or lower the pool sizes and CONN_MAX_AGE of what holds too many",
            "raise max_connections if memory allows it",
        ),
        hold=60.0,
        critical_hold=20.0,
        evidence="connections",
        runbook="connection-usage",
    ),
    Rule(
        "aborted_connects_rate",
        "aborted_connects_rate",
        "A mistyped password fails once; several a second for minutes are a client that cannot get in, or somebody guessing.",
        (
            "see which account and host fail: the server's error log names them with log_error_verbosity=3 (MariaDB: log_warnings=2)",
            "mend that client's password, certificate or time-out, or shut its host out",
            "look for connections that are full or a network that drops them, where no password is wrong",
        ),
        hold=300.0,
        evidence="connections",
        runbook="aborted-connects",
    ),
    Rule(
        "query_time",
        "query_time",
        "When most statements are slow, everybody waits; a single report does not raise it for minutes.",
        (
            "look at what runs longest now, and at what it waits for",
            "compare with the time before: a new release, a missing index, a lost buffer pool",
        ),
        hold=180.0,
        evidence="sessions",
        runbook="query-time",
    ),
    Rule(
        "slow_queries",
        "slow_queries",
        "A burst of slow statements is a job; minutes of them are a missing index or a lock.",
        (
            "look at the statements that take the most time",
            "look for statements without a good index in the slow query log",
        ),
        hold=180.0,
        evidence="statements",
        runbook="slow-queries",
    ),
    Rule(
        REPLICATION_RUNNING,
        "replication_running",
        "A replica that has stopped only falls further behind; a restart of its thread takes less than a minute.",
        (
            "read the last error of the channel: the evidence shows it",
            "mend its cause (a duplicate key, a missing table, a password, a lost binary log)",
            "start the replica again and watch the lag fall",
        ),
        condition="critical",
        critical=0.0,
        hold=60.0,
        keep=20.0,
        evidence="replication",
        runbook="replication-stopped",
    ),
    Rule(
        "replication_lag",
        "replication_lag",
        "Readers of the replica see the past; a report or a big transaction puts it behind for minutes without harm.",
        (
            "look what the applier works on: one large transaction, a table without a primary key, a schema change",
            "see whether the replica's disk or processor is busy",
            "send its readers to the source until it has caught up",
        ),
        hold=300.0,
        critical_hold=60.0,
        evidence="replication",
        runbook="replication-lag",
    ),
    Rule(
        "errant_gtids",
        "errant_gtids",
        "Transactions of its own make a replica useless as the next source, and nobody sees it until then.",
        (
            "find who writes on the replica",
            "set read_only (MySQL: super_read_only) so that it cannot go on",
            "rebuild the replica, or replay what was written on the source",
        ),
        condition="warning",
        warning=0.0,
        hold=60.0,
        runbook="errant-transactions",
    ),
    Rule(
        "read_only",
        "read_only",
        "One write on a replica is enough to make it differ from its source.",
        ("set read_only=ON (MySQL: super_read_only=ON), in the configuration as well",),
        condition="warning",
        warning=0.0,
        hold=120.0,
        runbook="replica-writable",
    ),
    Rule(
        "lock_waits_current",
        "lock_waits_current",
        "A few waits are how locks work; a queue that stands for a minute has one session at its root.",
        (
            "look at the session at the root of the waits: the evidence shows it first",
            "let it finish, or end it (KILL) where nobody works on it any more",
            "shorten the transaction that held the lock, or give its statement an index so that it locks fewer rows",
        ),
        hold=60.0,
        evidence="locks",
        runbook="lock-waits",
    ),
    Rule(
        "deadlocks_rate",
        "deadlocks_rate",
        "One deadlock is tried again by the application; a steady stream of them is two jobs that lock in different orders.",
        (
            "look at the latest one, which the evidence shows, and at its pattern: database_monitor locks",
            "see which two jobs run at the same time, and pause one of them",
            "let both lock rows in the same order, in shorter transactions",
        ),
        hold=300.0,
        evidence="deadlocks",
        runbook="deadlocks",
    ),
    Rule(
        "longest_transaction_seconds",
        "longest_transaction_seconds",
        "A dump or a report may be open for hours; what is open for longer was forgotten, and holds locks and old row versions.",
        (
            "find the session: the evidence shows the oldest transactions",
            "end it (KILL) where it is idle; a large change that is rolled back takes as long again",
            "let the program commit or close its connection, and set a time-out for idle ones",
        ),
        hold=60.0,
        evidence="sessions",
        runbook="long-transaction",
    ),
    Rule(
        "history_list_length",
        "history_list_length",
        "Old row versions slow every read down; it grows for as long as the oldest transaction is open.",
        (
            "end the oldest open transaction: the evidence names it",
            "look for a session that is idle in a transaction",
        ),
        hold=300.0,
        evidence="sessions",
        runbook="history-list",
    ),
    Rule(
        "log_waits_rate",
        "log_waits_rate",
        "Every one is a transaction that waited for room in the log buffer; a large import may do that for some minutes.",
        (
            "see whether a large import or a change of very large rows is running, and let it end",
            "raise innodb_log_buffer_size: it can be changed while the server runs on MySQL 8",
            "see whether the log's disk is slow, where the buffer is large already",
        ),
        hold=900.0,
        evidence="sessions",
        runbook="log-waits",
    ),
    Rule(
        "auto_increment_max_usage",
        "auto_increment_max_usage",
        "At 100 % every insert into the table fails, and the change of the column takes hours on a large one.",
        ("change the column to BIGINT UNSIGNED while there is time",),
        clear=0.0,
        evidence="tables",
        runbook="auto-increment",
    ),
    Rule(
        "disk_usage",
        "disk_usage",
        "A server without space stops writing, and may not start again.",
        (
            "purge binary logs that no replica needs",
            "look for a growing table, log or temporary file",
            "grow the volume",
        ),
        clear=0.02,
        hold=120.0,
        evidence="tables",
        runbook="disk-usage",
    ),
    Rule(
        "backup_ok",
        "backup_ok",
        "Whoever needs yesterday's data finds out too late that there is no backup of it.",
        (
            "read why it failed: database_monitor backup list",
            "mend that (a grant, a password, room on the disk, a missing tool)",
            "make one now and see it through: database_monitor backup now --database A",
        ),
        condition="critical",
        critical=0.0,
        keep=0.0,
        evidence="backup",
        runbook="backup-failed",
    ),
    Rule(
        "backup_overdue_seconds",
        "backup_overdue_seconds",
        "A dump takes its time; two hours after it was due, of a daily one 26 hours after the last, it is not coming by itself.",
        (
            "see whether one is under way, and how far it is: database_monitor backup list",
            "see whether a monitor runs with BACKUP_SCHEDULER_ENABLED",
            "make one now: database_monitor backup now --database A",
        ),
        clear=0.0,
        keep=0.0,
        evidence="backup",
        runbook="backup-late",
    ),
    Rule(
        "backup_verified",
        "backup_verified",
        "A backup that cannot be restored, or holds something else than the server did, is none.",
        (
            "read what the restore has shown: database_monitor backup list",
            "verify it again: database_monitor backup verify --id N",
            "make a new one at once where the file is damaged, and look at the disk that it lies on",
        ),
        condition="warning",
        warning=0.0,
        keep=0.0,
        evidence="backup",
        runbook="backup-unverified",
    ),
    Rule(
        "backup_size_change",
        "backup_size_change",
        "Data grows by and by; what is half or twice as large from one day to the next was deleted, or written by mistake.",
        (
            "compare the sizes: database_monitor backup list",
            "look which table has grown or shrunk; keep the last backup from before in a place of its own",
        ),
        clear=0.0,
        keep=0.0,
        evidence="backup",
        runbook="backup-size",
    ),
    Rule(
        "memory_usage",
        "memory_usage",
        "Page cache does not count as used; beyond this the kernel soon ends the largest process, which is the server.",
        (
            "see which process grew, and whether it is the server at all",
            "close connections that are not needed: each has buffers of its own",
            "lower innodb_buffer_pool_size, or give the host more memory",
        ),
        clear=0.02,
        hold=300.0,
        evidence="connections",
        runbook="memory-usage",
    ),
)
"""The rules that are on without anybody asking. Levels of metrics are the thresholds' (`catalogue`, settings, API).

A busy processor is no rule that ships: it is harmless while statements are fast, and `query_time` tells when they are not.
"""

RUNBOOK_OF: Mapping[str, str] = {rule.metric: rule.runbook for rule in SHIPPED}
"""The page that says what to do about an alert on a metric, by the metric. Any other metric of the catalogue has `OTHER_RUNBOOK`."""

OTHER_RUNBOOK = "own-thresholds"

METRIC_OF: Mapping[str, str] = {rule.id: rule.metric for rule in SHIPPED}
"""The metric that a shipped rule's alerts carry, which is its id for nearly all."""

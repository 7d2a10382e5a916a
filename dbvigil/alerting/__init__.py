"""Alerting: what the engine finds becomes rows, messages, and a record of who did what.

service.py    DatabaseAlerting: what users call, from any process
record.py     transitions → changes of episodes, in one transaction
ledger.py     that transaction's episodes, audit events and orders, read and written many at a time
telling.py    who is told of an episode, and its clocks
episodes.py   rows of open episodes
audit.py      the trail of events, numbered and chained by hash
outbox.py     what is to be sent: claimed under a lease, settled, retried, given up
delivery.py   the threads that deliver, one a channel
sweep.py      what comes due by time alone: escalation, repetition, the beginning and end of quiet
quieting.py   acknowledging and suppressing
windows.py    maintenance windows
counts.py     how many alerts are open
selfwatch.py  the watch over the monitor, the delivery and the channels themselves; the heartbeat
backtest.py   thresholds tried on recorded history
switchboard.py   the channels there are, how each fares, and a test of them
own_channels.py  channels that people make; sealed.py keeps their secrets
bodies.py     rows as alerts
bulk.py       many rows with one statement
links.py      addresses in messages
words.py      an operator's own words for messages, and previews
plan.py       who is told and when
"""

from dbvigil.alerting.service import DatabaseAlerting, get_database_alerting

__all__ = ["DatabaseAlerting", "get_database_alerting"]

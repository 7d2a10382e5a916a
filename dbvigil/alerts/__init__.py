"""What is worth an alert, and who is told when: pure functions of samples, settings and `now`.

rule.py       what a rule is, and what it reads           shipped.py    the rules that ship, as a table
rules.py      the rules of one database                   engine.py     one evaluation: what it changes
states.py     what the engine remembers and finds         flapping.py   what changes too often
restarts.py   a restart, and a server that is new         messages.py   an alert in one line
quiet.py      suppressions and maintenance windows        routing.py    escalation, grouping, retries, bundling
backtest.py   a rule over recorded history
"""

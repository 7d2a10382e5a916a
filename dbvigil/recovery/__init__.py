"""Recovery: what the monitor may mend by itself, within bounds, on record, and with a way back. Off until a setting says otherwise.

policy.py        who may be ended: rows of a process list in, the chosen with reasons out
reading.py       whether a statement only reads
sessions.py      process lists, and how a session is ended once it was read again
variables.py     settings of a server that may be changed for a time
plan.py          what an action is: plan, apply, verify, undo
actions/         one action a file
catalogue.py     the actions there are, a project's own too
guards.py        cool-down, attempts an hour, databases an hour
records.py       attempts and changes on record, with their events and messages
perform.py       one attempt from plan to verification, and the way back
putting_back.py  the way back from what is on record, whoever made the change
triggers.py      what the open alerts ask for
keeper.py        the monitor's thread that acts and puts back
by_hand.py       what people ask for
own.py           this project's own connections
"""

"""Deadlocks and waits for locks as the service knows them: read from every monitored server, kept by pattern and by episode, asked for.

`collecting` reads a server when its counters say that there is something, `storing` keeps what was found, `stored` answers from that.
"""

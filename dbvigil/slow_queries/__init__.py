"""Slow queries as the service knows them: collected from every monitored server, kept, judged, and asked for by people.

`collecting` reads what is new on a server, `packing` and `storing` keep it, `stored` answers from what is kept, `analyzer` is what users
call.
"""

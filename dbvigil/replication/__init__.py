"""Replication of all monitored servers together: who follows whom, what is wrong about it, and why a replica is behind.

`collecting` reads what a sample does not tell, `storing` keeps it, `topology`, `findings`, `causes` and `trend` think about it without
Django and without a clock, `stored` answers from all of that.
"""

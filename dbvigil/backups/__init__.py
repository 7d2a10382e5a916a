"""Backups: made with the server's own tool, verified by a restore into a private server, kept for as long as is wanted.

`programs`, `packing`, `sealing`, `dumping`, `census`, `verifying` and `restoring` do the work and know no Django, with `nearby`, `copying`
and `preparing` for copies of files; `due`, `retention`, `comparing`, `judging` and `choosing` are pure; `jobs` keeps what is done and by
whom, `running` does one backup from its row to its end, guarded by `guarding`; `stored` answers.
"""

"""One connection to a MySQL or MariaDB server, on asyncmy: how it opens, guards itself, and fails.

`dbvigil.server` is the only user. Which driver and why: docs/decisions/0001-driver.md.
"""

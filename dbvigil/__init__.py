"""Monitoring and alerting for MySQL and MariaDB, as a Django app and a ready-to-run service."""

__version__ = "0.1.0"

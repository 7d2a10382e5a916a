"""The command, under the platform's name."""

from dbvigil.management.commands.database_monitor import Command

__all__ = ["Command"]

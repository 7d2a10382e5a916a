"""Who holds connections: this project's processes, each from within, and everybody as the server sees them.

Loads no models: `watch` may be called as early as a project's settings are read.
"""

from dbvigil.connections.pools import watch

__all__ = ["watch"]

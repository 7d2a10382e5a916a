#!/usr/bin/env python
"""Django's command line for the stand-alone service."""

from __future__ import annotations

import os
import sys

from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line

from dbvigil.errors import ConfigurationError

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "service.settings")
    try:
        execute_from_command_line(sys.argv)
    except (ImproperlyConfigured, ConfigurationError) as error:
        sys.exit(f"dbvigil: {error}")

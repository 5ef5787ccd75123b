#!/usr/bin/env python
"""Django's command line, with the embedded database started for the commands that need one."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "govcloud.settings")
    from django.core.management import execute_from_command_line  # noqa: PLC0415

    from govcloud.embedded.postgres import serving_for_command  # noqa: PLC0415

    with serving_for_command(sys.argv[1:]):
        execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()

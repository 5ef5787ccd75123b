import os

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.db import connections

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "govcloud.settings")
application = get_wsgi_application()


def bound_statements(seconds: int) -> None:
    """Have the database cancel whatever a request asks it for longer than so many seconds; 0: never.

    A statement that is planned badly would else keep its thread and its connection for as long as it likes, long after
    whoever asked has gone. It is told when a connection begins, which a pooler between us and the database may refuse. Workers
    and commands are not bound: they may have a whole table to go through.
    """
    if seconds:
        options = connections.settings["default"].setdefault("OPTIONS", {})
        options["options"] = f"{options.get('options', '')} -c statement_timeout={seconds}s".strip()


bound_statements(settings.WEB_STATEMENT_SECONDS)

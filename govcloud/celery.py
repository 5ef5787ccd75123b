"""The Celery application. A message only says "look": what is due is in the rows."""

import os

from celery import Celery
from kombu.transport import TRANSPORT_ALIASES

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "govcloud.settings")
TRANSPORT_ALIASES["filesystem"] = "govcloud.embedded.broker:Transport"

app = Celery("govcloud")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()

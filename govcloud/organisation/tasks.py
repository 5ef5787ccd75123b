from importlib import import_module

from celery import shared_task
from django.conf import settings
from django.utils import timezone

from govcloud import clock
from govcloud.notifications import keeping
from govcloud.organisation import appointing, identity, rhythm, telling
from tenants.access import attempts


@shared_task(name="organisation.sweep", ignore_result=True)
def sweep() -> None:
    """Tell reviewers of access what waits for them, who opens reviews that the next is due, who asked for a role that nobody confirmed it in time, and security
    administrators which second factors are to be confirmed; disable webhooks whose keepers' roles have run out, and forget how
    often signing in was tried and sessions that are over, with what is kept in them.

    Two at once tell it once: the rows decide.
    """
    appointing.tell_lapsed(at=clock.now())
    identity.tell_waiting(at=clock.now())
    telling.tell(at=clock.now())
    rhythm.tell(at=clock.now())
    keeping.disable_unkept(at=clock.now())
    attempts.forget(now=timezone.now())
    import_module(settings.SESSION_ENGINE).SessionStore.clear_expired()

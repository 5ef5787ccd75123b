"""How often a password may be tried for a token: the rule is that of every entrance (``tenants.access.attempts``)."""

from django.utils import timezone
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle
from rest_framework.views import APIView

from govcloud import clock
from govcloud.audit.refusals import refuse
from govcloud.audit.services import SystemActor
from tenants.access import attempts


class SignInThrottle(BaseThrottle):
    """Counts before anything is looked at. The first attempt of an address that is one too many is audited."""

    seconds = 0

    def allow_request(self, request: Request, view: APIView) -> bool:  # noqa: ARG002
        data = request.data if isinstance(request.data, dict) else {}
        name, address = str(data.get("username", "")), attempts.address_of(request.META)
        counted = attempts.count(address=address, name=name, now=timezone.now())
        if counted.noticed:
            refuse(
                actor=SystemActor("sign-in"), verb="token.refused", subject=None, at=clock.now(),
                reason=attempts.TOO_OFTEN, label=address,
            )  # fmt: skip
        self.seconds = counted.seconds
        return not counted.seconds

    def wait(self) -> float:
        return self.seconds - 1  # the answer rounds up

"""How often a password may be tried, whether or not there is an account of the name."""

from hashlib import sha256

from rest_framework.request import Request
from rest_framework.throttling import SimpleRateThrottle
from rest_framework.views import APIView


class SignInThrottle(SimpleRateThrottle):
    """Ten attempts a minute for one user name from one address (per process, unless a shared cache is configured)."""

    scope = "sign-in"
    rate = "10/min"

    def get_cache_key(self, request: Request, view: APIView) -> str:  # noqa: ARG002
        data = request.data if isinstance(request.data, dict) else {}
        # As the name is read later: without white space around it. Case is folded so that no spelling is a new start.
        name = str(data.get("username", "")).strip().casefold()
        return _key(self.scope, f"{name}|{self.get_ident(request)}")


class AddressThrottle(SimpleRateThrottle):
    """Sixty attempts a minute from one address, whatever the names: an office behind one address still gets in."""

    scope = "sign-in-address"
    rate = "60/min"

    def get_cache_key(self, request: Request, view: APIView) -> str:  # noqa: ARG002
        return _key(self.scope, self.get_ident(request))


def _key(scope: str, who: str | None) -> str:
    """None: a server that listens on a socket of the machine tells no address."""
    return f"{scope}:{sha256(str(who).encode(errors='replace')).hexdigest()}"

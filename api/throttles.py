"""How often a password may be tried."""

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
        who = f"{data.get('username', '')}|{self.get_ident(request)}"
        return f"sign-in:{sha256(who.encode(errors='replace')).hexdigest()}"

"""How the secrets of second factors are kept: encrypted as the clouds' credentials are."""

from base64 import b64decode, b64encode
from uuid import UUID

from allauth.mfa.adapter import DefaultMFAAdapter

from govcloud import ciphers

PURPOSE = "second factors"
OF_PEOPLE = UUID("6b0d1f3e-6f0a-4a2f-9f0e-2d6c1f5b7a10")
"""What they are bound to in place of a row: allauth does not tell whose a secret is."""


class Authenticators(DefaultMFAAdapter):  # type: ignore[misc]
    def encrypt(self, text: str) -> str:
        sealed = ciphers.seal({"secret": text}, purpose=PURPOSE, owner=OF_PEOPLE)
        return f"{sealed.algorithm}:{sealed.key}:{b64encode(sealed.content).decode()}"

    def decrypt(self, encrypted_text: str) -> str:
        algorithm, key, content = encrypted_text.split(":")
        opened = ciphers.opened(
            ciphers.Sealed(algorithm, key, b64decode(content)), purpose=PURPOSE, owner=OF_PEOPLE
        )
        return str(opened["secret"])

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.progress import track

from govcloud import clock
from govcloud.audit.services import SystemActor
from govcloud.clouds import credentials, guest_keys, sealing
from tenants import owners
from tenants.access import second_factor

console = Console(highlight=False)
OPERATOR = SystemActor("rotate_credentials")


class Command(BaseCommand):
    help = (
        "Encrypt anew what is stored encrypted (clouds' credentials, the centre's keys of guests, second factors, the particulars of systems' owners) with the "
        "first of CREDENTIAL_KEYS and CREDENTIAL_CIPHER. May be broken off and repeated; once it has told that nothing is left, older "
        "keys can go."
    )

    def handle(self, *_args: Any, **_options: Any) -> None:
        left = []
        for key in track(credentials.to_rotate(), "Rotating", console=console):
            try:
                credentials.rotate(key=key, actor=OPERATOR, at=clock.now())
            except sealing.Unreadable as unreadable:
                left.append(f"cloud {key}: {unreadable}")
        for key in track(guest_keys.to_seal_anew(), "Rotating keys of guests", console=console):
            try:
                guest_keys.seal_anew(key=key)
            except sealing.Unreadable as unreadable:
                left.append(f"key of guests {key}: {unreadable}")
        for key in track(owners.to_rotate(), "Rotating owners", console=console):
            try:
                owners.rotate(key=key)
            except sealing.Unreadable as unreadable:
                left.append(f"owner of system {key}: {unreadable}")
        try:
            second_factor.rotate(actor=OPERATOR, at=clock.now())
        except sealing.Unreadable as unreadable:
            left.append(f"second factors: {unreadable}")
        if left:
            raise CommandError("\n".join(["These could not be opened and stay as they are:", *left]))
        console.print("All that is stored encrypted is under the newest key.")

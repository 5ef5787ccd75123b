"""The forms in which a cloud is registered and changed, how it is signed in to, and what the catalogue's things are called there."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from django.utils.functional import Promise, lazystr
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from govcloud.catalog.models import Cloud, Retyping, Site, Wiping
from govcloud.catalog.networks import LONGEST_PREFIX
from govcloud.clouds import names
from govcloud.clouds.credentials import INTERFACES, SERVICES, CredentialDraft, NamesAUser, names_a_user
from govcloud.clouds.services import AvailabilityZoneDraft, BadRange, NetworkZoneDraft, ZoneInUse, is_range
from govcloud.errors import DomainError
from govcloud.portal.fieldsets import Form, Group, slug
from govcloud.portal.templatetags.portal import named
from govcloud.portal.writing.fields import (
    YES,
    Field,
    Unreadable,
    choice,
    number,
    one_of,
    text,
    tick,
    whole,
)
from govcloud.portal.writing.offers import Option
from tenants.models import NetworkZone

MOST_PARTS = 50
"""Availability zones for which a form makes room; of a cloud that has more it has all."""
CODE = text(
    "code", pgettext_lazy("of a cloud", "Code"), hint=_("It is told to departments and stays as it is."), longest=40
)  # fmt: skip


def between(least: int, most: int, typed: str) -> int:
    """Raises Unreadable."""
    found = whole(typed, most=most)
    if found < least:
        raise Unreadable(_now("%(least)s is the least that is possible.") % {"least": least})
    return found


def a_range(typed: str) -> str:
    """Raises Unreadable, so that it is told with all else that is wrong; whether networks have room in it is asked later."""
    if not is_range(typed):
        raise Unreadable(BadRange(given=typed, prefix=32).detail)
    return typed


def an_address(typed: str) -> str:
    """Raises Unreadable for one with a user or a password in it."""
    if names_a_user(typed):
        raise Unreadable(NamesAUser.message)
    return typed


def address(key: str, label: str | Promise, **more: Any) -> Field:
    """Of a service. One with a password in it is not shown again."""
    return Field(key=key, label=label, read=an_address, longest=300, is_secret=names_a_user, **more)


LEVEL = choice("mlps_level", _("Takes systems up to MLPS level"), "levels", read=whole, default="3")
NAMES = (
    text("name", _("Name in Chinese"), longest=80),
    text("name_en", _("Name in English"), longest=120, optional=True),
)
PROFILE = text(
    "profile",
    _("Its name in clouds.yaml"),
    hint=_("Only where the servers of this service have one; else store credentials on the next page."),
    longest=80,
    optional=True,
)
ONCE = (
    Field(key=CODE.key, label=CODE.label, hint=CODE.hint, read=slug, longest=40),
    choice("site", _("Site"), "sites", read=one_of(Site), default=Site.MAIN),
    text(
        "domain_id",
        _("Keystone domain of the systems' projects"),
        longest=64,
        default="default",
        hint=_("Its id. It stays as it is."),
    ),
)
"""What is said of a cloud when it is registered, and never again."""
ABILITIES = (
    number("build_width", _("Servers that are built at a time"), read=partial(between, 1, 1_000), default="20"),
    Field(key="management_cidr", label=_("Range from which guests may be reached"), read=a_range, longest=43, optional=True, hint=_("CIDR")),
    text("backup_zone", _("Backup zone of off-site backups"), longest=80, optional=True),
    choice("retyping", _("Volumes can move between storage classes"), "retypings", read=one_of(Retyping), default=Retyping.DETACHED),
    tick("online_extend", _("A volume in use can grow"), default=YES),
    tick("sizes_must_match", _("Place nothing there that has another size than in the catalogue"), default=YES),
)  # fmt: skip
ZONE = (
    Field(key="address_pool", label=_("Address pool"), read=a_range, longest=43, hint=_("CIDR that systems' networks are cut from")),
    number("network_prefix", _("Prefix of one system's network"), read=partial(between, 8, LONGEST_PREFIX), default="26"),
    text("dns_servers", _("DNS servers"), optional=True, hint=_("Separated by commas")),
    text("external_network", _("External network"), longest=120, optional=True, hint=_("If the cloud has several")),
)  # fmt: skip
PART = (
    Field(key="code", label=CODE.label, read=slug, longest=40),
    *NAMES,
    text("compute_zone", _("The compute service's name of it"), longest=80, optional=True),
    text("volume_zone", _("The storage service's name of it"), longest=80, optional=True),
    LEVEL,
)
OF_PARTS = "availability_zones/"
"""What the keys of the groups of availability zones begin with."""
OF_A_ZONE = ("address_pool", "dns_servers", "external_network")
OF_A_PART = ("code", "name", "name_en", "compute_zone", "volume_zone")


def options() -> Mapping[str, Sequence[Option]]:
    return {
        "sites": _options(Site.choices),
        "levels": [Option(str(level), str(level)) for level in range(1, 6)],
        "retypings": _options(Retyping.choices),
        "interfaces": [Option(each, each) for each in INTERFACES],
        "wipings": _options(Wiping.choices),
    }


def _options(choices: Sequence[tuple[Any, Any]]) -> list[Option]:
    return [Option(str(value), str(label)) for value, label in choices]


def particulars(*, new: bool, parts: int) -> Form:
    """Of a cloud, with room for so many availability zones."""
    of_it = (*ONCE, *NAMES, LEVEL, PROFILE) if new else (*NAMES, LEVEL, PROFILE)
    zones = [
        Group(key=f"zones/{value}", label=label, fields=ZONE, hint=_("Not offered there where it is left empty."), left_out_without=OF_A_ZONE)
        for value, label in NetworkZone.choices
    ]  # fmt: skip
    of_parts = [
        Group(
            key=f"{OF_PARTS}{place}",
            label=_("Availability zone %(number)s") % {"number": place + 1},
            fields=PART,
            hint=_("A part of the cloud that fails by itself; left out where it is left empty."),
            left_out_without=OF_A_PART,
        )
        for place in range(parts)
    ]
    groups = [Group(label=_("Cloud"), fields=of_it), *zones, *of_parts]
    return Form([*groups, Group(label=_("What it can do"), fields=ABILITIES)], options())


def as_it_is(cloud: Cloud) -> dict[str, str]:
    """What stands in the form of a cloud that is changed."""
    plain = {each.key: _typed(getattr(cloud, each.key)) for each in (*NAMES, LEVEL, PROFILE, *ABILITIES)}
    for zone in cloud.zones.all():
        plain |= {f"zones/{zone.zone}/{each.key}": _typed(getattr(zone, each.key)) for each in ZONE}
    for place, part in enumerate(cloud.availability_zones.all()):
        plain |= {f"{OF_PARTS}{place}/{each.key}": _typed(getattr(part, each.key)) for each in PART}
    return plain


def _typed(value: Any) -> str:
    if isinstance(value, bool):
        return YES if value else ""
    return str(value)


def field_left_out(cloud: Cloud, refusal: DomainError) -> str:
    """Of a zone that was emptied but has something in it; "" for any other refusal."""
    if not isinstance(refusal, ZoneInUse):
        return ""
    code = refusal.params["code"]
    if refusal.pointers == ("/zones",):
        return f"zones/{code}/address_pool"
    places = (place for place, part in enumerate(cloud.availability_zones.all()) if part.code == code)
    return f"{OF_PARTS}{next(places)}/code"


def drafts(given: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The zones of both kinds, as the services take them."""
    zones = [
        NetworkZoneDraft(zone=key.removeprefix("zones/"), **values)
        for key, values in given.items()
        if key.startswith("zones/")
    ]
    parts = [AvailabilityZoneDraft(**values) for key, values in given.items() if key.startswith(OF_PARTS)]
    return {"zones": zones, "availability_zones": parts}


def signing_in() -> Form:
    """What is stored of a cloud, which is never shown again."""
    groups = [
        Group(
            label=_("Whom the cloud is signed in to as"),
            hint=_("A user with a password. Application credentials cannot build in the projects of systems."),
            fields=(
                address("auth_url", _("Address of the identity service"), hint="https://…:5000/v3"),
                text("username", _("User"), longest=255),
                Field(key="password", label=_("Password"), read=str, type="password", longest=1_000, hint=_("Never shown again.")),
                text("project_name", _("Project of the operators"), longest=255),
                text("user_domain_name", _("Domain of the user"), longest=255, default="Default"),
                text("project_domain_name", _("Domain of the project"), longest=255, default="Default"),
                text("region_name", _("Region"), longest=255, optional=True),
                choice("interface", _("Interface of the service catalogue"), "interfaces", read=_interface, default="public"),
            ),
        ),
        Group(
            label=_("Certificate of a private authority"),
            fields=(
                Field(key="ca_certificate", label=_("Certificate, in PEM form"), read=str, type="long", optional=True, longest=200_000),
            ),
        ),
        Group(
            key="endpoint_overrides",
            label=_("Addresses of services"),
            hint=_("Only where the addresses in the cloud's own catalogue lead nowhere."),
            fields=tuple(address(each, each, optional=True) for each in SERVICES),
        ),
    ]  # fmt: skip
    return Form(groups, options())


def _interface(typed: str) -> str:
    if typed not in INTERFACES:
        raise Unreadable(_("Choose one."))
    return typed


def credential(given: Mapping[str, Mapping[str, Any]]) -> CredentialDraft:
    addresses = {service: each for service, each in given["endpoint_overrides"].items() if each}
    return CredentialDraft(**given[""], endpoint_overrides=addresses)


KINDS = {
    "flavors": _("Flavors"),
    "storage_classes": _("Storage classes"),
    "images": _("Images"),
}
WIPING = "wiping"


def naming(cloud: Cloud) -> Form:
    """What each thing of the catalogue is called there; of what is retired only what has a name there already."""
    there = names.names_of(cloud)
    groups = []
    for kind, (_table, thing, _column) in names.TABLES.items():
        things = [
            each
            for each in thing.objects.order_by("code")
            if each.retired_at is None or each.code in there[kind]
        ]
        called = [
            text(each.code, lazystr(named(each)), hint=each.code, longest=120, optional=True)
            for each in things
        ]
        groups.append(
            Group(
                key=kind,
                label=KINDS[kind],
                fields=tuple(called),
                hint=_("What has no name there cannot be ordered there."),
            )
        )
        if kind == "storage_classes":
            wiped = [
                choice(
                    each.code, lazystr(named(each)), "wipings", read=one_of(Wiping), default=Wiping.UNDECLARED
                )
                for each in things
            ]
            groups.append(
                Group(
                    key=WIPING,
                    label=_("What becomes of deleted data"),
                    fields=tuple(wiped),
                    hint=_("By storage class, as the cloud's operators declare it. Wipe records say it."),
                )
            )
    form = Form(groups, options())
    form.values = {
        f"{kind}/{code}": each for kind, told in names.declared(cloud).items() for code, each in told.items()
    }
    return form


def called(given: Mapping[str, Mapping[str, Any]]) -> tuple[dict[str, dict[str, str]], dict[str, str]]:
    """The names by kind, and how what is deleted is wiped; of classes without a name only what is declared, which is refused."""
    by_kind = {
        kind: {code: name for code, name in given.get(kind, {}).items() if name} for kind in names.TABLES
    }
    wiping = {
        code: means
        for code, means in given.get(WIPING, {}).items()
        if code in by_kind["storage_classes"] or means != Wiping.UNDECLARED
    }
    return by_kind, wiping

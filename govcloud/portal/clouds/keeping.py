"""Registering a cloud, changing it, storing how it is signed in to, and naming the catalogue's things there."""

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from django.contrib import messages as flashes
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from govcloud.catalog.models import Cloud
from govcloud.clouds import credentials, names, services
from govcloud.clouds.policies import KEEPERS
from govcloud.errors import DomainError
from govcloud.portal import deeds
from govcloud.portal.clouds import forms
from govcloud.portal.fieldsets import Form
from govcloud.portal.reading import number_in, version_in
from govcloud.portal.resuming import resumes
from tenants.models import User

Given = dict[str, dict[str, Any]]
MORE = "more"
"""The button that makes room for another availability zone."""


@require_http_methods(["GET", "POST"])
@login_required
@resumes
def new(request: HttpRequest) -> HttpResponse:
    """Register one; it is closed until it is set up and somebody opens it."""
    actor, at = deeds.admitted(request, *KEEPERS)
    form = forms.particulars(new=True, parts=_parts(request, there=0))
    made: list[Cloud] = []

    def register(given: Given) -> None:
        made.append(services.register(**given[""], **forms.drafts(given), actor=actor, at=at))

    if not _kept(request, form, register):
        return _form(request, form, at=at)
    flashes.success(request, _("The cloud is registered. It is closed until you open it."))
    return _on_to("portal:cloud" if made[0].profile else "portal:cloud-credentials", made[0].uuid)


@require_http_methods(["GET", "POST"])
@login_required
@resumes
def change(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Change what is said of it; zones that are emptied are left out."""
    actor, at, found = _found(request, uuid)
    form = forms.particulars(new=False, parts=_parts(request, there=found.availability_zones.count()))
    form.values = forms.as_it_is(found)

    def keep(given: Given) -> None:
        services.change(
            cloud=found,
            changes=given[""],
            **forms.drafts(given),
            expected_version=_version(request),
            actor=actor,
            at=at,
        )

    if not _kept(request, form, keep, field_of=partial(forms.field_left_out, found)):
        return _form(request, form, at=at, cloud=found)
    flashes.success(request, _("The cloud is changed."))
    return redirect("portal:cloud", uuid=uuid)


@never_cache
@sensitive_post_parameters()
@require_http_methods(["GET", "POST"])
@login_required
def signing_in(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Store how it is signed in to, encrypted. The password is on no page afterwards, not even where something was wrong."""
    actor, at, found = _found(request, uuid)
    form = forms.signing_in()

    def store(given: Given) -> None:
        draft = forms.credential(given)
        credentials.store(cloud=found, draft=draft, expected_version=_version(request), actor=actor, at=at)

    if not _kept(request, form, store):
        return _form(request, form, at=at, cloud=found, template="credentials")
    flashes.success(
        request, _("The credentials are stored. The next look at the cloud tells whether they are right.")
    )
    return _on_to("portal:cloud" if any(names.names_of(found).values()) else "portal:cloud-names", uuid)


@require_http_methods(["GET", "POST"])
@login_required
@resumes
def naming(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Say what the catalogue's things are called there."""
    actor, at, found = _found(request, uuid)
    form = forms.naming(found)

    def keep(given: Given) -> None:
        named, wiping = forms.called(given)
        names.set_names(
            cloud=found, names=named, wiping=wiping, expected_version=_version(request), actor=actor, at=at
        )

    if not _kept(request, form, keep):
        return _form(request, form, at=at, cloud=found, template="names")
    flashes.success(request, _("The names are kept."))
    return redirect("portal:cloud", uuid=uuid)


def _kept(
    request: HttpRequest,
    form: Form,
    deed: Callable[[Given], object],
    *,
    field_of: Callable[[DomainError], str] | None = None,
) -> bool:
    """Whether it was sent and done; else the form tells what is wrong.

    ``field_of`` is the field that a refusal is about where its pointers cannot say it; none: "".
    """
    if request.method != "POST":
        return False
    form.read(request)
    if request.POST.get("do") == MORE or deeds.held_back() is not None:
        return False
    done: list[bool] = []

    def do() -> None:
        given = form.parsed()
        if given is not None:
            deed(given)
            done.append(True)

    refusal = deeds.refusal_of(do)
    if refusal is not None:
        form.tell(refusal, field=field_of(refusal) if field_of else "")
    return bool(done)


def _form(
    request: HttpRequest,
    form: Form,
    *,
    at: datetime,
    cloud: Cloud | None = None,
    template: str = "form",
) -> HttpResponse:
    sent, put_off = request.method == "POST", deeds.put_off()
    parts = sum(group.key.startswith(forms.OF_PARTS) for group in form.groups)
    context = {
        "form": form,
        "cloud": cloud,
        "version": _version(request) if sent else cloud and cloud.version,
        "parts": parts,
        "has_room": parts < forms.MOST_PARTS,
        "refused": put_off,
        "at": at,
    }
    status = put_off.status if put_off else form.status
    return render(request, f"portal/cloud/{template}.html", context, status=status)


def _found(request: HttpRequest, uuid: UUID) -> tuple[User, datetime, Cloud]:
    actor, at = deeds.admitted(request, *KEEPERS)
    return actor, at, get_object_or_404(Cloud.objects.select_related("credential"), uuid=uuid)


def _parts(request: HttpRequest, *, there: int) -> int:
    """How many availability zones the form has room for: one more than there are, and another when it is asked for.

    However many there are, it has room for all of them: what it has not would be left out of the cloud.
    """
    most = max(there, forms.MOST_PARTS)
    if request.method != "POST":
        return min(there + 1, most)
    told = number_in(request.POST.get("parts", "")) or 0
    return min(told + (request.POST.get("do") == MORE), most)


def _version(request: HttpRequest) -> int:
    return version_in(request.POST.get("version", ""))


def _on_to(page: str, uuid: UUID) -> HttpResponse:
    return redirect(page, uuid=uuid)

"""Versions of the approval flow: the list, one of them, and the editing of drafts by the system administrator."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.db.models import F
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from govcloud.approvals import flows as services
from govcloud.approvals.dry_run import dry_run
from govcloud.approvals.models import Case, FlowVersion, Quorum
from govcloud.approvals.policies import FLOW_EDITORS, FLOW_READERS
from govcloud.approvals.routing import CONDITIONS, RULE, StageRule
from govcloud.errors import Invalid
from govcloud.portal import deeds
from govcloud.portal.deciding.forms import typed
from govcloud.portal.deeds import Refused
from govcloud.portal.flows import stages as forms
from govcloud.portal.reading import moment_in, version_in
from govcloud.portal.resuming import resumes
from tenants.models import User
from tenants.policies import scope_of


class BadMoment(Invalid):
    code = "bad-moment"
    message = _("Give the date and the time from which it is in force.")


@require_GET
@login_required
def flows(request: HttpRequest) -> HttpResponse:
    """Every version, drafts first."""
    actor, at = deeds.admitted(request, *FLOW_READERS)
    rows = FlowVersion.objects.telling_superseded().select_related("drafted_by", "based_on")
    in_force = FlowVersion.objects.in_force(at=at).first()
    context = {
        "flows": rows.order_by(F("number").desc(nulls_first=True), "-pk"),
        "in_force": in_force,
        "edits": _edits(actor, at=at),
        "at": at,
    }
    return render(request, "portal/flow/list.html", context)


@require_GET
@login_required
def flow(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """One version with its stages; of a draft what keeps it from being published, and (``?tried``) what it would have done."""
    actor, at = deeds.admitted(request, *FLOW_READERS)
    return _page(request, _found(uuid), actor, at=at)


@require_POST
@login_required
def draft(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Draft a version that begins with the stages of this one."""
    actor, at = deeds.admitted(request, *FLOW_EDITORS)
    found = _found(uuid)
    drafted = services.draft(name=found.name, based_on=found, actor=actor, at=at)
    return redirect("portal:flow", uuid=drafted.uuid)


@require_POST
@login_required
@resumes
def rename(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Give a draft another name, and what comes after its stages its limits."""
    return _change(request, uuid, lambda rules: rules, given=typed(request, "name", *forms.LIMITS))


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@resumes
def new_stage(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Write a further stage, the last one until it is moved."""
    if request.method != "POST":
        return _form(request, _draft(request, uuid), dict(forms.NEW), code="")
    return _keep(request, uuid, lambda rules, rule: [*rules, rule], code="")


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@resumes
def stage(request: HttpRequest, uuid: UUID, code: str) -> HttpResponse:
    """Change a stage of a draft."""
    if request.method != "POST":
        found = _draft(request, uuid)
        return _form(request, found, forms.values_of(_rule(found, code)), code=code)
    return _keep(
        request, uuid, lambda rules, rule: [rule if each.code == code else each for each in rules], code=code
    )


@require_POST
@login_required
def place(request: HttpRequest, uuid: UUID, code: str) -> HttpResponse:
    """Move a stage up or down, or take it out."""
    to = request.POST.get("to", "")
    if to not in {"up", "down", "out"}:
        raise Http404

    def moved(rules: list[StageRule]) -> list[StageRule]:
        at = next((n for n, rule in enumerate(rules) if rule.code == code), None)
        if at is None:
            return rules
        rule = rules.pop(at)
        if to != "out":
            rules.insert(max(0, at + (1 if to == "down" else -1)), rule)
        return rules

    return _change(request, uuid, moved)


@require_POST
@login_required
@resumes
def publication(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Publish a draft, now or from a date."""
    actor, at = deeds.admitted(request, *FLOW_EDITORS)
    found, given = _found(uuid), typed(request, "begins", "version")

    def publish() -> object:
        return services.publish_draft(
            flow=found,
            in_force_from=_moment(given["begins"]) if given["begins"].strip() else at,
            expected_version=version_in(given["version"]),
            actor=actor,
            at=at,
        )

    refused = deeds.attempt(publish, typed=given)
    return _answer(request, uuid, actor, refused, at=at)


@require_POST
@login_required
def discarding(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Throw a draft away."""
    actor, at = deeds.admitted(request, *FLOW_EDITORS)
    found, version = _found(uuid), version_in(request.POST.get("version", ""))
    refused = deeds.attempt(
        lambda: services.discard(flow=found, expected_version=version, actor=actor, at=at)
    )
    if refused is None:
        return redirect("portal:flows")
    return _page(request, _found(uuid), actor, at=at, refused=refused)


def _keep(
    request: HttpRequest,
    uuid: UUID,
    into: Callable[[list[StageRule], StageRule], Sequence[StageRule]],
    *,
    code: str,
) -> HttpResponse:
    """Put the stage that was typed into the draft; refused, the form comes back as it was filled in."""
    actor, at = deeds.admitted(request, *FLOW_EDITORS)
    found, values = _found(uuid), forms.read(request)

    def change() -> object:
        rules = into(services.rules_of(found.stages.all()), forms.rule_of(values))
        version = version_in(request.POST.get("version", ""))
        return services.change(
            flow=found, name=found.name, stages=rules, limits=found.limits,
            expected_version=version, actor=actor, at=at,
        )  # fmt: skip

    refused = deeds.attempt(change)
    if refused is None:
        return redirect("portal:flow", uuid=uuid)
    return _form(request, found, values, code=code, refused=refused, at=at)


def _change(
    request: HttpRequest,
    uuid: UUID,
    change: Callable[[list[StageRule]], Sequence[StageRule]],
    *,
    given: Mapping[str, str] | None = None,
) -> HttpResponse:
    """``given`` are the version's own fields as they were typed, where they were."""
    actor, at = deeds.admitted(request, *FLOW_EDITORS)
    found, version = _found(uuid), version_in(request.POST.get("version", ""))

    def deed() -> object:
        return services.change(
            flow=found,
            name=found.name if given is None else given["name"],
            stages=change(services.rules_of(found.stages.all())),
            limits=found.limits if given is None else forms.limits_in(given),
            expected_version=version,
            actor=actor,
            at=at,
        )

    refused = deeds.attempt(deed, typed=dict(given or {}))
    return _answer(request, uuid, actor, refused, at=at)


def _answer(
    request: HttpRequest, uuid: UUID, actor: User, refused: Refused | None, *, at: datetime
) -> HttpResponse:
    if refused is None:
        return redirect("portal:flow", uuid=uuid)
    return _page(request, _found(uuid), actor, at=at, refused=refused)


def _form(
    request: HttpRequest,
    found: FlowVersion,
    values: dict[str, Any],
    *,
    code: str,
    refused: Refused | None = None,
    at: datetime | None = None,
) -> HttpResponse:
    context = {
        "flow": found,
        "code": code,
        "values": values,
        "roles": forms.deciding_roles(),
        "quorums": Quorum.choices,
        "conditions": list(forms.questions(values, CONDITIONS)),
        "rule": list(forms.questions(values, RULE)),
        "refused": refused,
        "at": at or deeds.admitted(request, *FLOW_EDITORS)[1],
    }
    return render(request, "portal/flow/stage.html", context, status=refused.status if refused else 200)


def _page(
    request: HttpRequest, found: FlowVersion, actor: User, *, at: datetime, refused: Refused | None = None
) -> HttpResponse:
    editable = found.published_at is None and _edits(actor, at=at)
    rules = services.rules_of(found.stages.all())
    tried = dry_run(flow=found, actor=actor, at=at) if editable and "tried" in request.GET else None
    context = {
        "flow": found,
        "stages": [(r, forms.who(r), forms.when(r), forms.rule_in_words(r)) for r in rules],
        "editable": editable,
        "edits": _edits(actor, at=at),
        "editors": services.editors_of(found),
        "publishes": services.may_publish(found, actor=actor),
        "problems": services.problems(flow=found, at=at) if editable else [],
        "to_come": FlowVersion.objects.to_come(at=at) if editable else (),
        "tried": tried,
        "seen": _seen([one.case for one in tried.rerouted], actor, at=at) if tried else (),
        "refused": refused,
        "at": at,
    }
    return render(request, "portal/flow/page.html", context, status=refused.status if refused else 200)


def _seen(cases: Sequence[Case], actor: User, *, at: datetime) -> set[int]:
    """Which cases the reader may see by name: a system administrator as such reads no department's orders."""
    visible = Case.objects.visible_to(actor, at=at).filter(pk__in=[case.pk for case in cases])
    return set(visible.values_list("pk", flat=True))


def _edits(actor: User, *, at: datetime) -> bool:
    return scope_of(actor, at=at).holds_any(FLOW_EDITORS)


def _draft(request: HttpRequest, uuid: UUID) -> FlowVersion:
    """A draft that the reader may edit."""
    deeds.admitted(request, *FLOW_EDITORS)
    found = _found(uuid)
    if found.published_at is not None:
        raise Http404
    return found


def _found(uuid: UUID) -> FlowVersion:
    return get_object_or_404(FlowVersion.objects.select_related("based_on", "published_by"), uuid=uuid)


def _rule(found: FlowVersion, code: str) -> StageRule:
    for rule in services.rules_of(found.stages.all()):
        if rule.code == code:
            return rule
    raise Http404


def _moment(text: str) -> datetime:
    """Raises BadMoment."""
    moment = moment_in(text)
    if moment is None:
        raise BadMoment
    return moment

"""Webhooks as people keep them: registered, changed, switched off and on, given a new secret; and calls sent again by hand."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid4

from django.db import IntegrityError, transaction
from django.utils.translation import gettext_lazy as _

from govcloud import lifecycle
from govcloud.audit import services as audit
from govcloud.errors import Conflict, DomainError, Invalid, Invalids
from govcloud.gateways import webhooks as calls
from govcloud.lifecycle import ChangedMeanwhile
from govcloud.notifications import keeping, payloads
from govcloud.notifications.kinds import SENT_OUTSIDE, Kind
from govcloud.notifications.lifecycle import DeliveryState, WebhookStatus
from govcloud.notifications.models import Delivery, Webhook
from govcloud.notifications.services import UnknownNoticeKind
from tenants.models import Department, Role, User
from tenants.policies import require, scope_of

LONGEST_NAME, LONGEST_URL = 80, 500


class WebhookNameMissing(Invalid):
    code = "webhook-name-missing"
    message = _("A webhook needs a name of at most %(most)s characters.")


class BadWebhookAddress(Invalid):
    code = "bad-webhook-address"
    message = _(
        "This address cannot be called: it begins with https://, names a host and no user, and has at most %(most)s characters."
    )


class WebhookLeadsInside(Invalid):
    code = "webhook-leads-inside"
    message = _(
        "This address is not one that may be called: it is private, or this machine's own, or in no network that is open."
    )


class WebhookDepartmentMissing(Invalid):
    code = "webhook-department-missing"
    message = _(
        "Name the department whose events it hears of: only system administrators register for those of all."
    )


class KindStaysInside(Invalid):
    code = "notice-kind-stays-inside"
    message = _("No outside system is told of this: %(kind)s.")


class RegisteredAlready(Conflict):
    code = "webhook-registered-already"
    message = _("This webhook is registered already.")


class NotGivenUp(Conflict):
    code = "delivery-on-its-way"
    message = _("This is on its way already.")


class WebhookDisabled(Conflict):
    code = "webhook-disabled"
    message = _("The webhook is disabled: switch it on before anything is sent again.")


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookDraft:
    """Without kinds it hears of every kind that is sent outside (``kinds.SENT_OUTSIDE``)."""

    name: str
    url: str
    kinds: Collection[str] = ()


def register(
    *,
    draft: WebhookDraft,
    department: Department | None,
    actor: User,
    at: datetime,
    uuid: UUID | None = None,
) -> tuple[Webhook, str]:
    """Have an address called from now on; returns the secret that signs as well, which nobody is shown again.

    Without a department it hears of everything. A ``uuid`` that the caller chose makes a form that is sent twice register
    once. Raises RoleMissing, RegisteredAlready, and Invalids of what is wrong with the draft, or of WebhookDepartmentMissing
    for who keeps webhooks of a unit only.
    """
    if department is None and _keeps_a_unit_only(actor, at=at):
        raise Invalids([WebhookDepartmentMissing(pointers=("/department",)), *_wrong(draft)])
    _require_keeper(department, actor=actor, at=at)
    _check(draft)
    webhook = Webhook(
        uuid=uuid or uuid4(), name=draft.name.strip(), url=draft.url, kinds=sorted(set(draft.kinds)), department=department,
        registered_by=actor, registered_at=at, keeper=actor,
    )  # fmt: skip
    secret = payloads.new_secret()
    payloads.seal(webhook, secret)
    with transaction.atomic():
        try:
            with transaction.atomic():
                webhook.save(force_insert=True)
        except IntegrityError as error:  # the only thing of it that can be there already is the uuid
            raise RegisteredAlready from error
        audit.record(actor=actor, verb="webhook.registered", subject=webhook, at=at, after=_told(webhook))
    return webhook, secret


def change(
    *, webhook: Webhook, draft: WebhookDraft, expected_version: int, actor: User, at: datetime
) -> Webhook:
    """Give it another name, address or choice of kinds. Raises what ``register`` raises, and ChangedMeanwhile."""
    _require_keeper(webhook.department, actor=actor, at=at)
    _check(draft)
    with transaction.atomic():
        webhook = _locked(webhook, expected_version=expected_version)
        before = _told(webhook)
        webhook.name, webhook.url, webhook.kinds = draft.name.strip(), draft.url, sorted(set(draft.kinds))
        webhook.version += 1
        webhook.failures, webhook.failing_since, webhook.rests_until = 0, None, None
        webhook.save()
        audit.record(
            actor=actor, verb="webhook.changed", subject=webhook, at=at, before=before, after=_told(webhook)
        )
    return webhook


def switch_off(*, webhook: Webhook, reason: str, actor: User, at: datetime) -> Webhook:
    """It gets nothing any more, not even what is on its way. Raises WrongState when it is off already."""
    _require_keeper(webhook.department, actor=actor, at=at)
    with transaction.atomic():
        webhook = _locked(webhook)
        keeping.disable(webhook, actor=actor, at=at, reason=reason)
    return webhook


def switch_on(*, webhook: Webhook, actor: User, at: datetime) -> tuple[Webhook, str | None]:
    """It hears of what happens from now on. Raises WrongState when it is on already.

    One whose keeper does not keep it any more is taken over by who switches it on, and signs with another secret, which is
    returned: what the former keeper has is good for nothing.
    """
    _require_keeper(webhook.department, actor=actor, at=at)
    with transaction.atomic():
        webhook = _locked(webhook)
        lifecycle.transition(
            webhook, WebhookStatus.ACTIVE, actor=actor, at=at, version=webhook.version + 1,
            failures=0, failing_since=None, rests_until=None,
        )  # fmt: skip
        secret = _sealed_anew(webhook, actor=actor, at=at) if keeping.unkept([webhook], at=at) else None
    return webhook, secret


def renew_secret(*, webhook: Webhook, actor: User, at: datetime) -> str:
    """Sign with another secret from now on; it is shown this once. Who has drawn it keeps the webhook from now on."""
    _require_keeper(webhook.department, actor=actor, at=at)
    with transaction.atomic():
        webhook = _locked(webhook)
        webhook.version += 1
        return _sealed_anew(webhook, actor=actor, at=at)


def _sealed_anew(webhook: Webhook, *, actor: User, at: datetime) -> str:
    """Of one that is locked: with a secret that the actor alone is shown, who answers for it from now on."""
    secret, former = payloads.new_secret(), webhook.keeper
    payloads.seal(webhook, secret)
    webhook.keeper = actor
    webhook.save(update_fields=["algorithm", "key", "sealed", "keeper", "version"])
    if former.pk != actor.pk:
        audit.record(
            actor=actor, verb="webhook.taken_over", subject=webhook, at=at,
            before={"keeper": former.audit_ref}, after={"keeper": actor.audit_ref},
        )  # fmt: skip
    audit.record(actor=actor, verb="webhook.secret_renewed", subject=webhook, at=at)
    return secret


def send_again(*, delivery: Delivery, actor: User, at: datetime) -> Delivery:
    """Call the webhook once more with the same notice, under the same id. Raises NotGivenUp and WebhookDisabled."""
    with transaction.atomic():
        row = (
            Delivery.objects.select_for_update(of=("self",))
            .select_related("webhook__department", "notice")
            .get(pk=delivery.pk, webhook__isnull=False)
        )
        webhook: Webhook = row.webhook  # type: ignore[assignment]  # by the filter
        _require_keeper(webhook.department, actor=actor, at=at)
        if row.state == DeliveryState.DUE:
            raise NotGivenUp
        if webhook.status != WebhookStatus.ACTIVE:
            raise WebhookDisabled
        before = row.state
        row.state, row.next_run_at, row.finished_at, row.lease_until = DeliveryState.DUE, at, None, None
        row.save(update_fields=["state", "next_run_at", "finished_at", "lease_until"])
        audit.record(
            actor=actor, verb="webhook.sent_again", subject=webhook, at=at,
            before={"delivery": str(row.uuid), "state": before}, after={"notice": str(row.notice)},
        )  # fmt: skip
    return row


def _require_keeper(department: Department | None, *, actor: User, at: datetime) -> None:
    """The system administrator for all; a unit approver for the unit's own."""
    if department is None:
        require(actor, Role.SYSTEM_ADMIN, at=at)
    else:
        require(actor, Role.SYSTEM_ADMIN, Role.UNIT_APPROVER, at=at, department=department)


def _keeps_a_unit_only(actor: User, *, at: datetime) -> bool:
    scope = scope_of(actor, at=at)
    return scope.holds(Role.UNIT_APPROVER) and not scope.holds(Role.SYSTEM_ADMIN)


def _locked(webhook: Webhook, *, expected_version: int | None = None) -> Webhook:
    row = (
        Webhook.objects.select_for_update(of=("self",))
        .select_related("department", "keeper")
        .get(pk=webhook.pk)
    )
    if expected_version is not None and row.version != expected_version:
        raise ChangedMeanwhile
    return row


def _check(draft: WebhookDraft) -> None:
    errors = list(_wrong(draft))
    if errors:
        raise Invalids(errors)


def _wrong(draft: WebhookDraft) -> Iterator[DomainError]:
    if not 1 <= len(draft.name.strip()) <= LONGEST_NAME:
        yield WebhookNameMissing(most=LONGEST_NAME, pointers=("/name",))
    refusal = _refusal_of(draft.url)
    if refusal is not None:
        yield refusal
    for position, kind in enumerate(draft.kinds):
        if kind not in Kind.values:
            yield UnknownNoticeKind(given=kind, pointers=(f"/kinds/{position}",))
        elif kind not in SENT_OUTSIDE:
            yield KindStaysInside(kind=Kind(kind).label, pointers=(f"/kinds/{position}",))


def _refusal_of(url: str) -> DomainError | None:
    bad = BadWebhookAddress(most=LONGEST_URL, pointers=("/url",))
    if len(url) > LONGEST_URL:
        return bad
    try:
        calls.check(url)
    except calls.LeadsInside:
        return WebhookLeadsInside(pointers=("/url",))
    except calls.AddressRefused:
        return bad
    return None


def _told(webhook: Webhook) -> dict[str, object]:
    department = str(webhook.department.uuid) if webhook.department else None
    return {"name": webhook.name, "url": webhook.url, "kinds": webhook.kinds, "department": department}

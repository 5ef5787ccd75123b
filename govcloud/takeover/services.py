"""What an administrator does with a project that was built outside: has it surveyed, and says whose it shall be and as what."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils.translation import gettext_lazy as _

from govcloud import lifecycle
from govcloud.audit import services as audit
from govcloud.catalog.models import Cloud, Flavor, Image, StorageClass, Zone
from govcloud.clouds import access
from govcloud.clouds.refusals import not_looked_at
from govcloud.clouds.services import require_not_retired, require_way_in
from govcloud.errors import Conflict, Invalid
from govcloud.gateways.openstack import errors, models
from govcloud.inventory.models import Project
from govcloud.inventory.takeovers import HasAnotherProject, ProjectOfAnother
from govcloud.orders.rules.of_items import NameTaken, well_named
from govcloud.orders.rules.standing import names_taken
from govcloud.takeover import judging
from govcloud.takeover.lifecycle import OURS, CandidateStatus, TakeoverStatus
from govcloud.takeover.models import Candidate, Equivalent, Takeover
from tenants.models import NetworkZone, System
from tenants.services import require_in_service

CATALOGUE: Final[Mapping[str, type[Flavor | Image | StorageClass]]] = {
    "flavor": Flavor,
    "image": Image,
    "storage_class": StorageClass,
}
"""What a name on a cloud can be taken for, by the columns of ``Equivalent``."""


class NoSuchProject(Invalid):
    code = "no-such-project"
    message = _("The cloud %(cloud)s has no project of the id or name “%(project)s”.")


class SurveyUnderWay(Conflict):
    code = "survey-under-way"
    message = _("This project is being surveyed. Wait until that has ended.")


class ZoneNotOffered(Invalid):
    code = "zone-not-on-cloud"
    message = _("The cloud %(cloud)s does not offer the %(zone)s.")


class NotInTheFuture(Invalid):
    code = "not-in-the-future"
    message = _(
        "This must not lie in the past: nothing is metered, or leased, for the time before it is taken over."
    )


class TakenOverAlready(Conflict):
    code = "taken-over-already"
    message = _(
        "Something of this project has been taken over for %(system)s: all of it can be that system's only."
    )


class LevelTooHigh(Conflict):
    code = "cloud-not-for-level"
    message = _("The cloud %(cloud)s takes systems up to level %(most)s; %(system)s is of level %(level)s.")


class NotOpen(Conflict):
    code = "candidate-not-open"
    message = _("“%(name)s” is %(status)s.")


class EquivalentNotOfTheCatalogue(Invalid):
    code = "equivalent-not-in-catalogue"
    message = _("The catalogue has nothing under the code “%(given)s”.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """For whom, and under what terms. No billing start: from the takeover on."""

    system: System
    zone: str
    lease_end: datetime | None = None
    billing_start: datetime | None = None


# -- surveys


def request(*, cloud: Cloud, project: str, actor: audit.Actor, at: datetime) -> Takeover:
    """Have a project, by its id or name, surveyed; one that was surveyed before is surveyed again.

    Raises CloudRetired, NoWayIn, NoSuchProject, CloudSilent, CredentialsRefused, SurveyUnderWay.
    """
    require_not_retired(cloud)
    require_way_in(cloud)
    known = Takeover.objects.filter(cloud=cloud)
    takeover = known.filter(project_id=project).first()
    if takeover is None:
        # the name that a project had when it was surveyed may be another one's by now
        found = _project(cloud, project)
        takeover = known.filter(project_id=found.id).first()
    if takeover is not None:
        return survey_again(takeover=takeover, actor=actor, at=at)
    try:
        with transaction.atomic():
            takeover = Takeover.objects.create(
                cloud=cloud, project_id=found.id, project_name=found.name, requested_at=at
            )
            audit.record(
                actor=actor, verb="takeover.requested", subject=takeover, at=at, thread=takeover.uuid,
                after={"cloud": cloud.code, "project": found.id, "name": found.name},
            )  # fmt: skip
            _ring()
    except IntegrityError as error:
        raise SurveyUnderWay from error
    return takeover


def survey_again(*, takeover: Takeover, actor: audit.Actor, at: datetime) -> Takeover:
    """Raises CloudRetired, SurveyUnderWay."""
    with transaction.atomic():
        takeover = locked(takeover)
        require_not_retired(takeover.cloud)
        if takeover.status in {TakeoverStatus.DUE, TakeoverStatus.SURVEYING}:
            raise SurveyUnderWay
        lifecycle.transition(
            takeover, TakeoverStatus.DUE, actor=actor, at=at, thread=takeover.uuid, requested_at=at
        )
        _ring()
    return takeover


def locked(takeover: Takeover) -> Takeover:
    """The row, locked and fresh. Its system is read after the lock: a join would show the one that was there before."""
    Takeover.objects.select_for_update().get(pk=takeover.pk)
    return Takeover.objects.select_related("cloud", "system__department").get(pk=takeover.pk)


def _project(cloud: Cloud, given: str) -> models.Project:
    """By id, else by name in the domain of systems' projects."""
    try:
        reached = access.connect(cloud=cloud, timeout=settings.CLOUD_API_TIMEOUT)
        try:
            return reached.identity.get_project(given)
        except errors.NotFound:
            found = reached.identity.find_project(name=given, domain_id=cloud.domain_id)
    except errors.CloudError as error:
        raise not_looked_at(cloud, error) from error
    if found is None:
        raise NoSuchProject(cloud=cloud.code, project=given, pointers=("/project",))
    return found


def _ring() -> None:
    from govcloud.takeover.tasks import ring  # noqa: PLC0415  the task carries surveys out

    transaction.on_commit(lambda: ring.apply_async(ignore_result=True), robust=True)


# -- what it shall become


def assign(*, takeover: Takeover, to: Assignment, actor: audit.Actor, at: datetime) -> Takeover:
    """Say for which system the project is taken over, and under what terms; what is open is judged anew.

    Raises CloudRetired, SystemRetired, ZoneNotOffered, NotInTheFuture, LevelTooHigh, TakenOverAlready, ProjectOfAnother, HasAnotherProject.
    """
    with transaction.atomic():
        takeover = locked(takeover)
        _check(takeover, to, at=at)
        before = _told(takeover)
        takeover.system, takeover.zone = to.system, to.zone
        takeover.lease_end, takeover.billing_start = to.lease_end, to.billing_start
        takeover.save(update_fields=["system", "zone", "lease_end", "billing_start"])
        judging.judge(takeover)
        audit.record(
            actor=actor, verb="takeover.assigned", subject=takeover, at=at, thread=takeover.uuid, before=before,
            after=_told(takeover),
        )  # fmt: skip
    return takeover


def _told(takeover: Takeover) -> dict[str, Any]:
    return {
        "system": takeover.system.code if takeover.system else None,
        "zone": takeover.zone,
        "lease_end": takeover.lease_end,
        "billing_start": takeover.billing_start,
    }


def _check(takeover: Takeover, to: Assignment, *, at: datetime) -> None:
    cloud, system = takeover.cloud, to.system
    require_not_retired(cloud)
    require_in_service(system)
    if not Zone.objects.filter(cloud=cloud, zone=to.zone).exists():
        label = NetworkZone(to.zone).label if to.zone in NetworkZone.values else to.zone
        raise ZoneNotOffered(cloud=cloud.code, zone=label, pointers=("/zone",))
    for name in ("lease_end", "billing_start"):
        moment = getattr(to, name)
        if moment is not None and moment < at:
            raise NotInTheFuture(pointers=(f"/{name}",))
    require_level(cloud, system)
    others = takeover.system
    if others not in {None, system} and takeover.candidates.filter(status__in=OURS).exists():
        raise TakenOverAlready(system=others.code if others else "", pointers=("/system",))
    owner = (
        Project.objects.filter(cloud=cloud, external_id=takeover.project_id).select_related("system").first()
    )
    if owner is not None and owner.system != system:
        raise ProjectOfAnother(system=owner.system.code, pointers=("/system",))
    has = Project.objects.filter(cloud=cloud, system=system).first()
    if has is not None and has.external_id != takeover.project_id:
        raise HasAnotherProject(system=system.code, project=has.external_id, pointers=("/system",))


def require_level(cloud: Cloud, system: System) -> None:
    """Raises LevelTooHigh."""
    if system.mlps_level > cloud.mlps_level:
        raise LevelTooHigh(
            cloud=cloud.code, most=cloud.mlps_level, system=system.code, level=system.mlps_level, pointers=("/system",)
        )  # fmt: skip


def rename(*, candidate: Candidate, name: str, actor: audit.Actor, at: datetime) -> Candidate:
    """Choose what it shall be called here. Raises NotOpen, BadName, NameTaken."""
    with transaction.atomic():
        takeover = locked(candidate.takeover)
        candidate = takeover.candidates.select_for_update().get(pk=candidate.pk)
        if candidate.status != CandidateStatus.OPEN:
            raise NotOpen(name=str(candidate), status=CandidateStatus(candidate.status).label)
        for malformed in well_named(name, ""):
            raise malformed
        others = takeover.candidates.exclude(pk=candidate.pk).exclude(status=CandidateStatus.GONE)
        standing = takeover.system is not None and names_taken(system=takeover.system, wanted=[name])
        if standing or others.filter(name=name).exists():
            raise NameTaken(name=name, pointers=("/name",))
        before, candidate.name = candidate.name, name
        candidate.save(update_fields=["name"])
        audit.record(
            actor=actor, verb="candidate.renamed", subject=candidate, at=at, thread=takeover.uuid,
            before={"name": before}, after={"name": name},
        )  # fmt: skip
    return candidate


def set_equivalent(
    *, cloud: Cloud, kind: str, cloud_name: str, code: str, actor: audit.Actor, at: datetime
) -> Equivalent:
    """Say what a name on the cloud is taken for, on this takeover and all to come; what is open is judged anew.

    ``kind`` is a key of CATALOGUE. Raises EquivalentNotOfTheCatalogue.
    """
    thing = CATALOGUE[kind].objects.filter(code=code).first()
    if thing is None:
        raise EquivalentNotOfTheCatalogue(given=code, pointers=("/code",))
    with transaction.atomic():
        of_name = {"cloud": cloud, "cloud_name": cloud_name, f"{kind}__isnull": False}
        row, fresh = Equivalent.objects.select_for_update().get_or_create(**of_name, defaults={kind: thing})
        before = None if fresh else getattr(row, kind).code
        setattr(row, kind, thing)
        row.save()
        audit.record(
            actor=actor, verb="equivalent.set", subject=row, at=at,
            before={kind: before}, after={"cloud": cloud.code, kind: code},
        )  # fmt: skip
        surveyed = Takeover.objects.filter(cloud=cloud, status=TakeoverStatus.SURVEYED)
        for takeover in surveyed.order_by("pk"):
            judging.judge(locked(takeover))
    return row

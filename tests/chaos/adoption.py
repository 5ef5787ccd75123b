"""Things built by hand in a project of the simulated cloud, and the administrator who takes them over for a system.

What is taken over is acted on and released like anything else (``orders``, ``actions``); what could not be taken over, because
a survey was wrong or somebody called it off, is surveyed and asked for again.
"""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from datetime import timedelta
from random import Random
from types import SimpleNamespace
from typing import Any
from unittest import mock

from django.db.models import QuerySet

from govcloud.audit.services import SystemActor
from govcloud.catalog.models import Cloud
from govcloud.clouds.refusals import CloudSilent
from govcloud.errors import Conflict
from govcloud.gateways import openstack
from govcloud.inventory.lifecycle import Status
from govcloud.inventory.models import Resource, ResourceKind
from govcloud.provisioning import services as provisioning
from govcloud.provisioning.kinds.tenancy import MEMBER
from govcloud.provisioning.models import Operation, OperationKind
from govcloud.takeover import leaving, services, settling, survey, taking, tasks
from govcloud.takeover.lifecycle import CandidateStatus
from govcloud.takeover.models import Candidate, Takeover
from tenants.models import System
from tests.chaos.agenda import Agenda
from tests.chaos.plans import SPACE, without
from tests.integration.outside import Outside

ADMINISTRATOR = SystemActor("administrator")
PROJECT = "oa"
RANGE = "10.77.0.0/24"
"""Of the other team's network: none of ours."""
LEFT = (CandidateStatus.OPEN, CandidateStatus.GONE)
WAIT_SECONDS = 1.0
PATIENCE = 600
"""So often is looked whether something has been built."""


class Adoption:
    """One project, from its first server until all that can be is its system's."""

    def __init__(self, random: Random, agenda: Agenda, cloud: Cloud, system: System, zone: str) -> None:
        self._random, self._agenda, self._cloud = random, agenda, cloud
        self.system, self._zone = system, zone
        self._takeover: Takeover | None = None
        self._built: frozenset[str] = frozenset()  # ids of what was there before anything was taken over
        self._ports: frozenset[str] = frozenset()  # and of the ports by which its servers are on its network

    # -- the other team

    def build(self, unlimited: Callable[[str], None]) -> None:
        """A network; servers that boot from a volume, every other with a data volume; and a volume that no server has."""
        operators = openstack.connect(cloud=self._cloud.profile)
        project = operators.identity.create_project(name=PROJECT)
        unlimited(project.id)
        role = operators.identity.find_role(name=MEMBER)
        if role is None:
            raise AssertionError("the sandbox has no role for members")
        ours = {"project_id": project.id, "role_id": role, "user_id": operators.user_id}
        operators.identity.grant_role(**ours)
        theirs = Outside(
            project.id,
            PROJECT,
            openstack.connect(cloud=self._cloud.profile, project_id=project.id),
            eventually=self._eventually,
        )
        network = theirs.network(RANGE)
        for number in range(self._random.choice((1, 2, 3))):
            boot = theirs.volume(f"OA boot {number}", size=20, kind="ssd", image="debian-12")
            server = theirs.server(f"OA {number}", network, boot=boot, flavor="g.2c4g")
            if self._random.random() < 0.5:
                theirs.attach(server, theirs.volume(f"OA data {number}", size=10))
        theirs.volume("OA spare", size=10)
        self._ports = frozenset(port.id for port in theirs.cloud.network.find_ports())
        operators.identity.revoke_role(**ours)
        self._takeover = services.request(
            cloud=self._cloud, project=project.id, actor=ADMINISTRATOR, at=self._agenda.now
        )
        self._survey()
        found = self._project().candidates.values_list("external_id", flat=True)
        self._built = frozenset(found)
        to = services.Assignment(
            system=self.system, zone=self._zone, lease_end=self._agenda.now + timedelta(days=365)
        )
        services.assign(takeover=self._project(), to=to, actor=ADMINISTRATOR, at=self._agenda.now)

    def _eventually(self, look: Callable[[], Any], until: Callable[[Any], bool]) -> Any:
        for _ in range(PATIENCE):
            seen = look()
            if until(seen):
                return seen
            self._agenda.run_until(self._agenda.now + timedelta(seconds=WAIT_SECONDS))
        raise AssertionError(f"still {seen}")

    # -- the administrator

    def go_on(self) -> Operation | None:
        """What the sweep does for takeovers; and all that can be is taken over, unless that is under way. The operation begun."""
        at = self._agenda.now
        settling.settle(at=at)
        settling.begin_metering(at=at)
        leaving.give_back_what_nothing_came_of(at=at)
        under_way = Operation.objects.filter(kind=OperationKind.TAKEOVER, finished_at=None)
        if self.is_over() or under_way.exists():
            return None
        try:
            if self._project().candidates.filter(operation__isnull=False).exists():
                self._survey()  # what was not taken over the last time may be otherwise by now
            return taking.take(
                takeover=self._project(), raise_limits=True, actor=ADMINISTRATOR, at=self._agenda.now
            ).operation
        except (Conflict, CloudSilent):  # nothing that can be had; or a survey that failed
            return None

    def is_over(self) -> bool:
        """Whether nothing is left to be taken over. A survey may have been wrong about what is gone."""
        return not self._left().exists()

    def left_out(self, removed: Collection[str]) -> list[str]:
        """What could have been taken over and was not. Nothing is said where hands ``removed`` something that others go with."""
        left = self._left()
        candidates = self._project().candidates.filter(external_id__in=removed)
        if candidates.exists() or not self._ports.isdisjoint(removed):
            left = left.filter(status=CandidateStatus.OPEN, obstacles=[])
        return [
            f"never taken over: {each.kind} {each.external_id} is {each.status}: {each.remark or each.obstacles}"
            for each in left.order_by("pk")
        ]

    def _left(self) -> QuerySet[Candidate]:
        """Those that have not become anything yet; what was built here is surveyed as well, and no matter."""
        left = self._project().candidates.filter(status__in=LEFT, resource=None)
        return left.filter(external_id__in=self._built)

    def network(self) -> Resource | None:
        """The other team's, once it is its system's: servers are ordered on it from then on."""
        standing = Resource.objects.filter(
            system=self.system, kind=ResourceKind.NETWORK, status=Status.ACTIVE, candidates__isnull=False
        )
        return standing.first()

    def _survey(self) -> None:
        """As its task does, while it has to be done: one that a fault ended is asked for again later."""
        takeover = self._project()
        if takeover.surveyed_at is not None:
            takeover = services.survey_again(takeover=takeover, actor=ADMINISTRATOR, at=self._agenda.now)
        taken = survey.take(takeover, at=self._agenda.now)
        if taken is not None:
            survey.carry_out(taken, clock=self._agenda)

    def _project(self) -> Takeover:
        if self._takeover is None:
            raise AssertionError("nothing has been built by hand")
        return Takeover.objects.select_related("cloud", "system__department").get(pk=self._takeover.pk)


@contextmanager
def at_hand() -> Iterator[None]:
    """Within, nobody rings for surveys, and takeovers leave the limits of projects alone."""

    def start(*, steps: Any, **how: Any) -> Operation:
        return provisioning.start(steps=without(steps, SPACE), **how)

    with (
        mock.patch.object(tasks.ring, "apply_async"),
        mock.patch.object(taking, "provisioning", SimpleNamespace(start=start)),
    ):
        yield

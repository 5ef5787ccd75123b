"""Two administrators, two workers: each thing is taken over once. With a real worker, killed again and again."""

import time
from datetime import timedelta

import pytest
from django.db import transaction

from govcloud.catalog.models import Cloud
from govcloud.clouds import services as clouds
from govcloud.inventory.models import Resource
from govcloud.lifecycle import ChangedMeanwhile
from govcloud.provisioning.models import Operation, Step
from govcloud.quotas.models import QuotaAccount
from govcloud.takeover import services, survey, taking
from govcloud.takeover.models import Takeover
from tenants.models import Role, System
from tests.at_once import at_once, held_up
from tests.factories.orders import Scene, scene
from tests.factories.takeovers import CandidateFactory, TakeoverFactory
from tests.factories.tenants import SystemFactory, member
from tests.integration.building import now
from tests.integration.outside import project_of
from tests.integration.sandboxed import Sandbox
from tests.integration.test_takeover import furnished
from tests.integration.test_worker_process import Worker, sandbox, wait, worker  # noqa: F401  fixtures

pytestmark = pytest.mark.django_db(transaction=True)


def ready(on: Scene) -> Takeover:
    takeover = TakeoverFactory(cloud=on.catalogue.cloud, system=on.system, zone="private")
    CandidateFactory(takeover=takeover)
    return takeover


def test_two_administrators_at_once_take_over_one_thing_once() -> None:
    on = scene(level_3=False)
    takeover, admins = ready(on), [member(Role.CLOUD_ADMIN) for _ in range(4)]
    outcomes = at_once(
        [lambda admin=admin: taking.take(takeover=takeover, actor=admin, at=now()) for admin in admins]
    )
    assert outcomes.count(None) == 1
    assert {type(each) for each in outcomes if each is not None} <= {
        taking.NothingToTake, services.NotOpen, ChangedMeanwhile,
    }  # fmt: skip
    assert Operation.objects.filter(kind="takeover").count() == 1
    assert QuotaAccount.objects.get(department=on.department, dimension="networks").held == 1


def test_one_project_is_not_taken_over_for_two_systems_at_once() -> None:
    on = scene(level_3=False)
    admin, takeover, other = member(Role.CLOUD_ADMIN), ready(on), SystemFactory(department=on.department)

    def take(system: System) -> None:
        to = services.Assignment(system=system, zone="private")
        services.assign(takeover=takeover, to=to, actor=admin, at=now())
        taking.take(takeover=takeover, actor=admin, at=now())

    outcomes = at_once([lambda: take(on.system), lambda: take(other)])
    assert Operation.objects.filter(kind="takeover").count() == 1
    assert {each.code for each in outcomes if each is not None} <= {  # type: ignore[attr-defined]
        "nothing-to-take-over", "taken-over-already", "project-of-another-system", "system-has-another-project",
    }  # fmt: skip
    assert sum(QuotaAccount.objects.filter(dimension="networks").values_list("held", flat=True)) == 1


def test_two_administrators_at_once_say_what_a_name_stands_for() -> None:
    on, admin = scene(level_3=False), member(Role.CLOUD_ADMIN)
    cloud = on.catalogue.cloud

    def say(code: str) -> None:
        services.set_equivalent(cloud=cloud, kind="flavor", cloud_name="m1", code=code, actor=admin, at=now())

    with transaction.atomic():
        say("g.4c16g")
        second = held_up(lambda: say("g.8c32g"))
    assert second.exception(timeout=60) is None
    assert cloud.equivalents.get().flavor.code == "g.8c32g"


def test_a_cloud_that_is_being_retired_gets_no_operation_any_more() -> None:
    """Whoever takes over has read it as open, and waits for whoever retires it."""
    on = scene(level_3=False)
    takeover, admin = ready(on), member(Role.CLOUD_ADMIN)
    with transaction.atomic():
        cloud = Cloud.objects.select_for_update().get(pk=takeover.cloud_id)
        waiting = held_up(lambda: taking.take(takeover=takeover, actor=admin, at=now()))
        clouds.retire(cloud=cloud, reason="replaced", actor=admin, at=now())
    assert isinstance(waiting.exception(timeout=60), clouds.CloudRetired)
    assert not Operation.objects.exists()
    assert takeover.candidates.get().status == "open"


def test_workers_killed_again_and_again_survey_and_take_over_each_thing_once(
    worker: Worker,  # noqa: F811
    sandbox: Sandbox,  # noqa: F811
) -> None:
    on, admin = scene(level_3=False, zone="private"), member(Role.CLOUD_ADMIN)
    theirs = project_of(sandbox, name="oa")
    ids = furnished(theirs, "10.78.1.0/24")
    takeover = services.request(cloud=on.catalogue.cloud, project="oa", actor=admin, at=now())
    taken = survey.take(takeover, at=now() - timedelta(minutes=10))  # by one that has died since
    assert taken is not None
    wait(lambda: Takeover.objects.get(pk=takeover.pk).status == "surveyed", worker)
    services.assign(
        takeover=takeover,
        to=services.Assignment(system=on.system, zone="private"),
        actor=admin,
        at=now(),
    )
    taking.take(takeover=takeover, actor=admin, at=now())
    for _life in range(4):
        time.sleep(0.7)
        worker.kill()
        worker.lose_messages()
        worker.start()
    wait(lambda: takeover.candidates.filter(status="taken").count() == 6, worker)
    wait(lambda: not Step.objects.filter(next_run_at__isnull=False).exists(), worker)
    assert set(Resource.objects.values_list("external_id", flat=True)) == set(ids.values())
    held = QuotaAccount.objects.filter(department=on.department).values_list("dimension", "held", "used")
    assert {dimension: (held, used) for dimension, held, used in held if held or used} == {
        "servers": (0, 2), "vcpus": (0, 6), "memory_gb": (0, 20), "storage_gb": (0, 620), "networks": (0, 1),
    }  # fmt: skip
    groups = [group.name for group in theirs.cloud.security_groups.find_groups() if group.name != "default"]
    assert len(groups) == 1

"""Projects, roles and what scoping to a project takes."""

import pytest

from govcloud.gateways.openstack import Cloud, Reachability, connect, errors, health
from tests.openstack.laboratory import Laboratory


def test_a_project_is_found_by_its_exact_name(laboratory: Laboratory, operator: Cloud) -> None:
    assert operator.identity.find_project(name=laboratory.name) == laboratory.project
    assert operator.identity.find_project(name=laboratory.name[:-1]) is None


def test_a_project_name_is_given_once(laboratory: Laboratory, operator: Cloud) -> None:
    with pytest.raises(errors.Conflict) as refusal:
        operator.identity.create_project(name=laboratory.project.name)
    assert refusal.value.status == 409
    assert refusal.value.request_id


def test_a_role_must_be_granted_before_a_project_lets_us_in(operator: Cloud) -> None:
    stranger = Laboratory(operator)
    try:
        outside = connect(cloud=operator.name, project_id=stranger.project.id)
        with pytest.raises(errors.Unauthorized):
            outside.volumes.find_volumes()
        assert stranger.cloud.volumes.find_volumes() == []
    finally:
        operator.identity.delete_project(stranger.project.id)


def test_granting_a_role_twice_is_granting_it_once(laboratory: Laboratory, operator: Cloud) -> None:
    grant = {
        "project_id": laboratory.project.id,
        "role_id": laboratory.member_role,
        "user_id": laboratory.cloud.user_id,
    }
    operator.identity.grant_role(**grant)
    operator.identity.grant_role(**grant)
    assert operator.identity.has_role(**grant)


def test_scoping_to_a_project_shows_its_things_only(
    laboratory: Laboratory, cloud: Cloud, operator: Cloud
) -> None:
    volume = laboratory.volume()
    assert volume.id in {found.id for found in cloud.volumes.find_volumes()}
    assert volume.id not in {found.id for found in operator.volumes.find_volumes()}


def test_a_closed_project_lets_nobody_in_until_it_is_opened(operator: Cloud) -> None:
    own = Laboratory(operator)
    try:
        assert own.cloud.project_id == own.project.id
        assert not operator.identity.set_project_enabled(own.project.id, enabled=False).enabled
        with pytest.raises(errors.Unauthorized):
            connect(cloud=operator.name, project_id=own.project.id, timeout=29).volumes.find_volumes()
        assert operator.identity.set_project_enabled(own.project.id, enabled=True).enabled
        assert (
            connect(cloud=operator.name, project_id=own.project.id, timeout=28).volumes.find_volumes() == []
        )
    finally:
        operator.identity.delete_project(own.project.id)


def test_a_deleted_project_is_not_found(operator: Cloud) -> None:
    own = Laboratory(operator)
    operator.identity.delete_project(own.project.id)
    with pytest.raises(errors.NotFound):
        operator.identity.get_project(own.project.id)


def test_a_cloud_that_answers_is_healthy(operator: Cloud) -> None:
    assert health(cloud=operator.name).state is Reachability.OK

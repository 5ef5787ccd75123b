"""Networks, addresses that we choose, groups, routers, floating addresses, tags."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from govcloud.gateways.openstack import Cloud, errors, models
from tests.openstack.laboratory import Laboratory


def test_a_network_is_found_by_the_tags_it_was_given(laboratory: Laboratory, cloud: Cloud) -> None:
    tag = laboratory.unique("tag")
    network = cloud.network.create_network(name=laboratory.unique("network"))
    cloud.network.set_tags(collection="networks", resource_id=network.id, tags=[tag, "govcloud"])
    found = cloud.network.find_networks(tag=tag)
    assert [each.id for each in found] == [network.id]
    assert found[0].tags == {tag, "govcloud"}
    cloud.network.delete_network(network.id)
    with pytest.raises(errors.NotFound):
        cloud.network.get_network(network.id)


def test_a_network_is_found_by_its_exact_name(laboratory: Laboratory, cloud: Cloud) -> None:
    assert [each.id for each in cloud.network.find_networks(name=laboratory.network.name)] == [
        laboratory.network.id
    ]
    assert cloud.network.find_networks(name=laboratory.network.name[:-1]) == []


def test_a_subnet_takes_the_first_address_for_its_gateway(laboratory: Laboratory, cloud: Cloud) -> None:
    assert laboratory.subnet.gateway == "10.91.0.1"
    assert [each.id for each in cloud.network.find_subnets(network_id=laboratory.network.id)] == [
        laboratory.subnet.id
    ]
    assert cloud.network.get_subnet(laboratory.subnet.id) == laboratory.subnet
    with pytest.raises(errors.NotFound):
        cloud.network.get_subnet(laboratory.network.id)


def test_subnets_of_a_network_do_not_overlap(laboratory: Laboratory, cloud: Cloud) -> None:
    with pytest.raises(errors.Refused):
        cloud.network.create_subnet(
            network_id=laboratory.subnet.network_id, name="overlap", cidr="10.91.0.128/25"
        )


def test_a_port_has_the_address_that_we_chose_and_is_found_by_it(
    laboratory: Laboratory, cloud: Cloud
) -> None:
    address = laboratory.address()
    port = laboratory.port(address)
    assert port.addresses == (address,)
    found = cloud.network.find_ports(network_id=laboratory.network.id, fixed_ip=address)
    assert [each.id for each in found] == [port.id]
    assert [each.id for each in cloud.network.find_ports(name=port.name)] == [port.id]


def test_an_address_is_given_once(laboratory: Laboratory, cloud: Cloud) -> None:
    address = laboratory.address()
    first = laboratory.port(address)
    with pytest.raises(errors.Conflict) as refusal:
        laboratory.port(address)
    assert (refusal.value.status, refusal.value.code) == (409, "IpAddressAlreadyAllocated")
    cloud.network.delete_port(first.id)
    assert laboratory.port(address).addresses == (address,)


def test_of_several_ports_with_one_address_exactly_one_is_made(laboratory: Laboratory, cloud: Cloud) -> None:
    address = laboratory.address()
    assert laboratory.subnet.network_id == laboratory.network.id

    def ask(_: int) -> models.Port | errors.CloudError:
        try:
            return laboratory.port(address)
        except errors.CloudError as error:
            return error

    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(ask, range(4)))
    made = [answer for answer in answers if isinstance(answer, models.Port)]
    assert [type(answer) for answer in answers].count(errors.Conflict) == 3, answers
    found = cloud.network.find_ports(network_id=laboratory.network.id, fixed_ip=address)
    assert [port.id for port in found] == [port.id for port in made]


def test_an_address_outside_the_subnet_is_refused(laboratory: Laboratory) -> None:
    with pytest.raises(errors.Refused):
        laboratory.port("10.92.0.10")


def test_a_network_with_a_port_cannot_be_deleted(laboratory: Laboratory, cloud: Cloud) -> None:
    laboratory.port()
    with pytest.raises(errors.Conflict):
        cloud.network.delete_network(laboratory.network.id)


def test_a_member_cannot_delete_the_port_of_a_server(cloud: Cloud, server: models.Server) -> None:
    port = cloud.network.find_ports(server_id=server.id)[0]
    with pytest.raises(errors.Refused) as refusal:
        cloud.network.delete_port(port.id)
    assert refusal.value.status == 403
    assert cloud.network.get_port(port.id).device_id == server.id


def test_a_new_group_lets_nothing_in_until_a_rule_does(laboratory: Laboratory, cloud: Cloud) -> None:
    groups = cloud.security_groups
    group = groups.create_group(name=laboratory.unique("group"))
    assert {rule.direction for rule in groups.find_rules(group_id=group.id)} == {"egress"}
    rule = groups.create_rule(
        group_id=group.id, protocol="tcp", port_min=22, port_max=22, remote="10.0.0.0/8"
    )
    assert rule in groups.find_rules(group_id=group.id)
    assert (groups.get_rule(rule.id), groups.get_group(group.id).id) == (rule, group.id)
    with pytest.raises(errors.Conflict):
        groups.create_rule(group_id=group.id, protocol="tcp", port_min=22, port_max=22, remote="10.0.0.0/8")
    groups.delete_rule(rule.id)
    assert rule not in groups.find_rules(group_id=group.id)
    groups.delete_group(group.id)
    for gone in (lambda: groups.get_rule(rule.id), lambda: groups.get_group(group.id)):
        with pytest.raises(errors.NotFound):
            gone()


def test_a_group_in_use_cannot_be_deleted(laboratory: Laboratory, cloud: Cloud) -> None:
    group = cloud.security_groups.create_group(name=laboratory.unique("group"))
    assert [each.id for each in cloud.security_groups.find_groups(name=group.name)] == [group.id]
    port = cloud.network.create_port(
        name=laboratory.unique("port"),
        network_id=laboratory.subnet.network_id,
        subnet_id=laboratory.subnet.id,
        fixed_ip=laboratory.address(),
        security_group_ids=[group.id],
    )
    assert port.security_group_ids == (group.id,)
    with pytest.raises(errors.Conflict):
        cloud.security_groups.delete_group(group.id)
    cloud.network.delete_port(port.id)
    cloud.security_groups.delete_group(group.id)


def external_network(cloud: Cloud) -> models.Network:
    found = cloud.network.find_networks(external=True)
    assert found, "the cloud has no external network"
    return found[0]


def test_a_floating_address_leads_to_a_port_through_a_router(laboratory: Laboratory, cloud: Cloud) -> None:
    outside = external_network(cloud)
    router = cloud.routing.create_router(name=laboratory.unique("router"), external_network_id=outside.id)
    assert router.external_network_id == outside.id
    port = laboratory.port()
    with pytest.raises(errors.NotFound):  # no way leads there yet
        cloud.routing.create_floating_ip(external_network_id=outside.id, port_id=port.id)

    inside = cloud.routing.add_router_subnet(router_id=router.id, subnet_id=laboratory.subnet.id)
    assert cloud.network.get_port(inside).addresses == (laboratory.subnet.gateway,)
    floating = cloud.routing.create_floating_ip(external_network_id=outside.id, port_id=port.id)
    assert (floating.port_id, floating.fixed_address) == (port.id, port.addresses[0])
    assert [each.id for each in cloud.routing.find_floating_ips(port_id=port.id)] == [floating.id]
    assert [each.id for each in cloud.routing.find_floating_ips(address=floating.address)] == [floating.id]
    with pytest.raises(errors.Conflict):
        cloud.routing.create_floating_ip(external_network_id=outside.id, port_id=port.id)
    with pytest.raises(errors.Conflict):
        cloud.routing.remove_router_subnet(router_id=router.id, subnet_id=laboratory.subnet.id)

    assert cloud.routing.bind_floating_ip(floating.id, port_id=None).port_id is None
    cloud.routing.delete_floating_ip(floating.id)
    assert cloud.routing.find_floating_ips() == []
    with pytest.raises(errors.Conflict):
        cloud.routing.delete_router(router.id)
    cloud.routing.remove_router_subnet(router_id=router.id, subnet_id=laboratory.subnet.id)
    cloud.routing.delete_router(router.id)
    assert cloud.routing.find_routers(name=router.name) == []


@pytest.fixture
def connected(laboratory: Laboratory, cloud: Cloud) -> Iterator[models.Router]:
    """A router that leads from the laboratory's subnet to the outside."""
    outside = external_network(cloud)
    router = cloud.routing.create_router(name=laboratory.unique("router"), external_network_id=outside.id)
    cloud.routing.add_router_subnet(router_id=router.id, subnet_id=laboratory.subnet.id)
    yield router
    for floating in cloud.routing.find_floating_ips():
        cloud.routing.delete_floating_ip(floating.id)
    with suppress(errors.NotFound):
        cloud.routing.remove_router_subnet(router_id=router.id, subnet_id=laboratory.subnet.id)
    cloud.routing.delete_router(router.id)


def test_a_router_is_seen_with_its_outside_address_and_by_its_port(
    laboratory: Laboratory, cloud: Cloud, connected: models.Router
) -> None:
    router = cloud.routing.get_router(connected.id)
    assert router.outside_addresses == connected.outside_addresses != ()
    ports = cloud.network.find_ports(server_id=router.id, network_id=laboratory.network.id)
    assert [port.addresses for port in ports] == [(laboratory.subnet.gateway,)]


def test_a_router_is_put_on_a_subnet_once_and_taken_off_once(
    laboratory: Laboratory, cloud: Cloud, connected: models.Router
) -> None:
    with pytest.raises(errors.Refused) as twice:
        cloud.routing.add_router_subnet(router_id=connected.id, subnet_id=laboratory.subnet.id)
    assert twice.value.status == 400
    second = cloud.routing.create_router(name=laboratory.unique("router"))
    with pytest.raises(errors.Conflict):  # the gateway address is the first one's
        cloud.routing.add_router_subnet(router_id=second.id, subnet_id=laboratory.subnet.id)
    cloud.routing.delete_router(second.id)
    cloud.routing.remove_router_subnet(router_id=connected.id, subnet_id=laboratory.subnet.id)
    with pytest.raises(errors.NotFound):
        cloud.routing.remove_router_subnet(router_id=connected.id, subnet_id=laboratory.subnet.id)


def test_a_router_is_switched_on_again_and_keeps_leading_out_while_addresses_come_in_by_it(
    laboratory: Laboratory, cloud: Cloud, connected: models.Router
) -> None:
    assert connected.external_network_id is not None
    path = f"/routers/{connected.id}"
    cloud._transport.send("network", "PUT", path, json={"router": {"admin_state_up": False}})
    assert not cloud.census.router(connected.id).enabled
    cloud.routing.enable_router(connected.id)
    assert cloud.census.router(connected.id).enabled
    floating = cloud.routing.create_floating_ip(
        external_network_id=connected.external_network_id, port_id=laboratory.port().id
    )
    none = {"router": {"external_gateway_info": None}}
    with pytest.raises(errors.Conflict):
        cloud._transport.send("network", "PUT", path, json=none)
    cloud.routing.delete_floating_ip(floating.id)
    cloud._transport.send("network", "PUT", path, json=none)
    cloud.routing.set_gateway(connected.id, external_network_id=connected.external_network_id)
    assert cloud.routing.get_router(connected.id).external_network_id == connected.external_network_id


def test_only_operators_name_the_address_that_is_given(
    laboratory: Laboratory, operator: Cloud, cloud: Cloud, connected: models.Router
) -> None:
    assert connected.external_network_id is not None
    port = laboratory.port()
    before = cloud.routing.create_floating_ip(
        external_network_id=connected.external_network_id, port_id=port.id
    )
    cloud.routing.delete_floating_ip(before.id)
    same = {
        "external_network_id": connected.external_network_id, "port_id": port.id, "address": before.address,
    }  # fmt: skip
    with pytest.raises(errors.Refused):
        cloud.routing.create_floating_ip(**same)
    again = operator.routing.create_floating_ip(**same, project_id=laboratory.project.id)
    assert (again.address, again.port_id) == (before.address, port.id)
    assert [each.id for each in cloud.routing.find_floating_ips()] == [again.id]
    with pytest.raises(errors.Conflict):
        operator.routing.create_floating_ip(
            external_network_id=connected.external_network_id, address=before.address
        )


def test_of_several_routers_with_one_gateway_address_one_gets_it(
    laboratory: Laboratory, cloud: Cloud
) -> None:
    routers = [cloud.routing.create_router(name=laboratory.unique("router")) for _ in range(3)]

    def ask(router: models.Router) -> errors.CloudError | None:
        try:
            cloud.routing.add_router_subnet(router_id=router.id, subnet_id=laboratory.subnet.id)
        except errors.CloudError as error:
            return error
        return None

    with ThreadPoolExecutor(3) as threads:
        answers = list(threads.map(ask, routers))
    assert answers.count(None) == 1, answers
    for router, answer in zip(routers, answers, strict=True):
        if answer is None:
            cloud.routing.remove_router_subnet(router_id=router.id, subnet_id=laboratory.subnet.id)
        cloud.routing.delete_router(router.id)


def test_of_several_floating_addresses_for_one_port_exactly_one_is_made(
    laboratory: Laboratory, cloud: Cloud, connected: models.Router
) -> None:
    port, outside = laboratory.port(), str(connected.external_network_id)
    mark = laboratory.unique("mark")

    def ask(_: int) -> models.FloatingIp | errors.CloudError:
        try:
            return cloud.routing.create_floating_ip(
                external_network_id=outside, port_id=port.id, description=mark
            )
        except errors.CloudError as error:
            return error

    for _round in range(3):
        with ThreadPoolExecutor(4) as threads:
            answers = list(threads.map(ask, range(4)))
        made = [answer for answer in answers if isinstance(answer, models.FloatingIp)]
        assert len(made) == 1, answers
        assert {type(each) for each in answers if each not in made} == {errors.Conflict}, answers
        found = cloud.routing.find_floating_ips(description=mark)
        assert [each.id for each in found] == [made[0].id]
        cloud.routing.delete_floating_ip(made[0].id)
        with pytest.raises(errors.NotFound):
            cloud.routing.get_floating_ip(made[0].id)


def test_a_floating_address_moves_to_another_port_and_outlives_it(
    laboratory: Laboratory, cloud: Cloud, connected: models.Router
) -> None:
    outside = str(connected.external_network_id)
    first, second = laboratory.port(), laboratory.port()
    floating = cloud.routing.create_floating_ip(external_network_id=outside, port_id=first.id)
    for _again in range(2):
        moved = cloud.routing.bind_floating_ip(floating.id, port_id=second.id)
        assert (moved.address, moved.port_id) == (floating.address, second.id)
    other = cloud.routing.create_floating_ip(external_network_id=outside, port_id=first.id)
    with pytest.raises(errors.Conflict):
        cloud.routing.bind_floating_ip(other.id, port_id=second.id)
    cloud.network.delete_port(second.id)
    assert cloud.routing.get_floating_ip(floating.id).port_id is None


def test_a_floating_address_over_quota_is_told_apart_from_a_conflict(
    laboratory: Laboratory, cloud: Cloud, operator: Cloud, connected: models.Router
) -> None:
    operator.quotas.set_network(laboratory.project.id, {"floatingip": 0})
    with pytest.raises(errors.OverQuota):
        cloud.routing.create_floating_ip(
            external_network_id=str(connected.external_network_id), port_id=laboratory.port().id
        )
    operator.quotas.set_network(laboratory.project.id, {"floatingip": 50})


def test_a_rule_is_known_by_what_it_lets_through(laboratory: Laboratory, cloud: Cloud) -> None:
    groups = cloud.security_groups
    group = groups.create_group(name=laboratory.unique("group"))
    anybody = groups.create_rule(group_id=group.id, protocol="tcp", port_min=443, port_max=443)
    for same in ("0.0.0.0/0", None):
        with pytest.raises(errors.Conflict) as refusal:
            groups.create_rule(group_id=group.id, protocol="tcp", port_min=443, port_max=443, remote=same)
        assert (refusal.value.code, anybody.id in refusal.value.message) == ("SecurityGroupRuleExists", True)
    six = groups.create_rule(
        group_id=group.id,
        protocol="ipv6-icmp",
        remote="2001:db8::/32",
        ethertype="IPv6",
        description="a mark",
    )
    assert (six.protocol, six.remote, six.port_min) == ("ipv6-icmp", "2001:db8::/32", None)
    groups.delete_rule(six.id)
    with pytest.raises(errors.NotFound):
        groups.delete_rule(six.id)
    groups.delete_group(group.id)

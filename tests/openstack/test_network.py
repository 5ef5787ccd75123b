"""Networks, addresses that we choose, groups, routers, floating addresses, tags."""

from concurrent.futures import ThreadPoolExecutor

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
    with pytest.raises(errors.Conflict):
        groups.create_rule(group_id=group.id, protocol="tcp", port_min=22, port_max=22, remote="10.0.0.0/8")
    groups.delete_rule(rule.id)
    assert rule not in groups.find_rules(group_id=group.id)


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

    cloud.routing.add_router_subnet(router_id=router.id, subnet_id=laboratory.subnet.id)
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

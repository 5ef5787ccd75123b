import pytest

from tests.integration.sandbox.process import Sandbox, network, refused, running_server


def port(cloud, net, address):
    return cloud.network.post(
        "/ports", json={"port": {"network_id": net.id, "fixed_ips": [{"ip_address": address}]}}
    )


def test_a_fixed_address_is_given_once(cloud):
    net, subnet = network(cloud)
    assert port(cloud, net, "10.1.0.50").json()["port"]["fixed_ips"] == [
        {"subnet_id": subnet.id, "ip_address": "10.1.0.50"}
    ]
    status, kind, message = refused(port(cloud, net, "10.1.0.50"))
    assert (status, kind) == (409, "IpAddressAlreadyAllocated")
    assert message == f"IP address 10.1.0.50 already allocated in subnet {subnet.id}"


def test_an_address_outside_the_subnets_is_refused(cloud):
    net, _ = network(cloud)
    assert refused(port(cloud, net, "10.2.0.5"))[:2] == (400, "InvalidIpForNetwork")


def test_the_dhcp_agent_takes_an_address_of_its_own(cloud):
    net, _ = network(cloud)
    [dhcp] = cloud.network.ports(network_id=net.id, device_owner="network:dhcp")
    assert refused(port(cloud, net, dhcp.fixed_ips[0]["ip_address"]))[1] == "IpAddressAlreadyAllocated"


def test_a_full_subnet_has_no_more_addresses(cloud):
    net, _ = network(cloud, "10.1.0.0/30")  # one host left beside the gateway, and DHCP has it
    answer = cloud.network.post("/ports", json={"port": {"network_id": net.id}})
    assert refused(answer)[:2] == (409, "IpAddressGenerationFailure")


@pytest.mark.parametrize("cidr", ["10.1.0.0/24", "10.1.0.128/25", "10.0.0.0/8"])
def test_subnets_of_a_network_do_not_overlap(cloud, cidr):
    net, _ = network(cloud)
    answer = cloud.network.post(
        "/subnets", json={"subnet": {"network_id": net.id, "cidr": cidr, "ip_version": 4}}
    )
    assert refused(answer)[:2] == (400, "InvalidInput")
    assert "overlaps with another subnet" in refused(answer)[2]


@pytest.mark.parametrize("cidr", ["10.1.0.5/24", "nonsense", "0.0.0.0/0"])
def test_a_bad_cidr_is_refused(cloud, cidr):
    net = cloud.network.create_network(name="net")
    answer = cloud.network.post(
        "/subnets", json={"subnet": {"network_id": net.id, "cidr": cidr, "ip_version": 4}}
    )
    assert answer.status_code == 400


def test_a_network_in_use_is_not_deleted(cloud):
    net, subnet = network(cloud)
    used = port(cloud, net, "10.1.0.9").json()["port"]
    assert refused(cloud.network.delete(f"/networks/{net.id}"))[:2] == (409, "NetworkInUse")
    assert refused(cloud.network.delete(f"/subnets/{subnet.id}"))[:2] == (409, "SubnetInUse")
    cloud.network.delete_port(used["id"])
    assert cloud.network.delete(f"/networks/{net.id}").status_code == 204
    assert cloud.network.get(f"/subnets/{subnet.id}").status_code == 404


def test_another_project_sees_nothing(sandbox: Sandbox, cloud):
    net, _ = network(cloud)
    stranger = sandbox.project()
    assert stranger.network.get(f"/networks/{net.id}").status_code == 404
    assert [each.name for each in stranger.network.networks()] == ["public"]
    stranger.close()


def test_tags_are_set_and_searched_for(cloud):
    net, _ = network(cloud)
    cloud.network.set_tags(net, ["unit:1", "kept"])
    assert [each.id for each in cloud.network.networks(tags="unit:1")] == [net.id]
    assert list(cloud.network.networks(tags="unit:1,other")) == []
    assert net.id not in [each.id for each in cloud.network.networks(not_tags="kept")]


def test_over_quota_is_told_from_a_conflict_by_its_type(sandbox: Sandbox, admin, cloud):
    sandbox.quota(admin, cloud.current_project_id, network={"network": 1})
    network(cloud)
    answer = cloud.network.post("/networks", json={"network": {"name": "second"}})
    assert refused(answer) == (409, "OverQuota", "Quota exceeded for resources: ['network'].")
    detail = admin.network.get(f"/quotas/{cloud.current_project_id}/details").json()["quota"]
    assert detail["network"] == {"limit": 1, "used": 1, "reserved": 0}


def test_a_project_has_a_default_group_and_rules_are_unique(cloud):
    [default] = cloud.network.security_groups()
    assert (default.name, len(default.security_group_rules)) == ("default", 4)
    group = cloud.network.create_security_group(name="web")
    rule = {"security_group_id": group.id, "direction": "ingress", "protocol": "tcp"}
    rule |= {"port_range_min": 22, "port_range_max": 22, "remote_ip_prefix": "10.0.0.0/8"}
    cloud.network.create_security_group_rule(**rule)
    answer = cloud.network.post("/security-group-rules", json={"security_group_rule": rule})
    assert refused(answer)[:2] == (409, "SecurityGroupRuleExists")


def test_a_group_in_use_is_not_deleted(cloud):
    net, _ = network(cloud)
    group = cloud.network.create_security_group(name="web")
    used = cloud.network.create_port(network_id=net.id, security_group_ids=[group.id])
    assert refused(cloud.network.delete(f"/security-groups/{group.id}"))[:2] == (409, "SecurityGroupInUse")
    cloud.network.delete_port(used)
    assert cloud.network.delete(f"/security-groups/{group.id}").status_code == 204


def test_a_floating_address_needs_a_router_and_holds_its_interface(cloud):
    net, subnet = network(cloud)
    inner = cloud.network.create_port(network_id=net.id)
    public = cloud.network.find_network("public")
    asked = {"floatingip": {"floating_network_id": public.id, "port_id": inner.id}}
    assert refused(cloud.network.post("/floatingips", json=asked))[:2] == (
        404,
        "ExternalGatewayForFloatingIPNotFound",
    )
    router = cloud.network.create_router(name="r", external_gateway_info={"network_id": public.id})
    cloud.network.add_interface_to_router(router, subnet_id=subnet.id)
    floating = cloud.network.create_ip(floating_network_id=public.id, port_id=inner.id)
    assert floating.status == "ACTIVE"
    answer = cloud.network.put(f"/routers/{router.id}/remove_router_interface", json={"subnet_id": subnet.id})
    assert refused(answer)[:2] == (409, "RouterInterfaceInUseByFloatingIP")
    cloud.network.delete_port(inner)
    assert cloud.network.get_ip(floating.id).port_id is None
    cloud.network.remove_interface_from_router(router, subnet_id=subnet.id)
    cloud.network.delete_router(router)


def test_a_port_keeps_its_address_when_its_server_goes(cloud):
    net, _ = network(cloud)
    made = cloud.network.create_port(network_id=net.id, fixed_ips=[{"ip_address": "10.1.0.20"}])
    server = running_server(cloud, networks=[{"port": made.id}])
    assert server.addresses["net"][0]["addr"] == "10.1.0.20"
    assert cloud.network.get_port(made.id).device_id == server.id
    cloud.compute.delete_server(server)
    assert cloud.compute.find_server(server.id) is None
    assert (cloud.network.get_port(made.id).device_id, cloud.network.get_port(made.id).status) == ("", "DOWN")


def test_a_port_the_server_made_goes_with_it(cloud):
    net, _ = network(cloud)
    server = running_server(cloud, networks=[{"uuid": net.id}])
    assert len(list(cloud.network.ports(device_id=server.id))) == 1
    cloud.compute.delete_server(server)
    assert cloud.compute.find_server(server.id) is None
    assert list(cloud.network.ports(device_id=server.id)) == []

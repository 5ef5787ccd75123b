"""Registers Swift in Keystone: its user, its service, its endpoints.  What is there is left alone."""

import sys

import openstack

identity = openstack.connect(cloud="devcloud").identity
project = identity.find_project("service")
roles = {role.name: role for role in identity.roles()}
user = identity.find_user("swift") or identity.create_user(
    name="swift", password="devcloud", domain_id="default"
)
for role in ("admin", "service"):
    identity.assign_project_role_to_user(project, user, roles[role])
service = identity.find_service("swift") or identity.create_service(name="swift", type="object-store")
have = {endpoint.interface for endpoint in identity.endpoints(service_id=service.id)}
for interface in ("public", "internal", "admin"):
    if interface not in have:
        identity.create_endpoint(
            service_id=service.id,
            interface=interface,
            url=f"http://127.0.0.1:{sys.argv[1]}/v1/AUTH_%(project_id)s",
            region_id="RegionOne",
        )

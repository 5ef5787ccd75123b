"""The clouds: the only package that uses openstacksdk.

    cloud = connect(cloud="east", project_id=project.cloud_id)
    with recording(step.note_exchange):
        accepted = cloud.compute.create_server_from_volume(...)

Every method says which request it is; reading ones may be repeated by us, changing ones are sent once. What they give is
in ``models``, what they raise in ``errors``.
"""

from govcloud.gateways.openstack import errors, models
from govcloud.gateways.openstack.connection import (
    Cloud,
    Given,
    Health,
    Reachability,
    ServiceHealth,
    connect,
    health,
    profiles,
)
from govcloud.gateways.openstack.recording import Exchange, guarding, recording

__all__ = [
    "Cloud",
    "Exchange",
    "Given",
    "Health",
    "Reachability",
    "ServiceHealth",
    "connect",
    "errors",
    "guarding",
    "health",
    "models",
    "profiles",
    "recording",
]

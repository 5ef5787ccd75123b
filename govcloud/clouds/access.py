"""The one way from our row of a cloud to the cloud itself: by its profile in clouds.yaml, or by what is kept here."""

from collections.abc import Callable
from typing import Any

from govcloud.catalog.models import Cloud
from govcloud.clouds import credentials
from govcloud.clouds.models import CloudCredential
from govcloud.clouds.sealing import Unreadable
from govcloud.gateways import openstack
from govcloud.gateways.openstack import errors


def connect(*, cloud: Cloud, timeout: float, project_id: str | None = None) -> openstack.Cloud:
    """The cloud as its operators see it, or as a project of it does; ``timeout`` in seconds, of one request.

    The stamp of the credentials is looked at each time, so that those stored a moment ago are the ones used. Raises
    ``Misconfigured``, and ``NoCredentials`` where there are none that can be read.
    """
    return openstack.connect(
        cloud=cloud.profile or cloud.code, project_id=project_id, timeout=timeout, given=_given(cloud)
    )


def health(*, cloud: Cloud, timeout: float) -> openstack.Health:
    """What a look at the cloud finds now. Never raises a ``CloudError``."""
    try:
        given = _given(cloud)
    except errors.NoCredentials as error:
        return openstack.Health(openstack.Reachability.MISCONFIGURED, error.service, error.message)
    return openstack.health(cloud=cloud.profile or cloud.code, timeout=timeout, given=given)


def _given(cloud: Cloud) -> openstack.Given | None:
    """None where clouds.yaml has the credentials."""
    if cloud.profile:
        return None
    credential = CloudCredential.objects.filter(cloud=cloud).first()
    if credential is None:
        raise errors.NoCredentials("no credentials are stored for this cloud", service="identity")
    return openstack.Given(stamp=str(credential.stamp), read=_reader(credential, cloud))


def _reader(credential: CloudCredential, cloud: Cloud) -> Callable[[], dict[str, Any]]:
    def read() -> dict[str, Any]:
        try:
            return credentials.settings_of(credential, cloud=cloud)
        except Unreadable as unreadable:
            raise errors.NoCredentials(
                f"the stored credentials cannot be read: {unreadable}", service="identity"
            ) from unreadable

    return read

"""Why a cloud could not be asked, for whoever waits for the answer."""

from django.utils.translation import gettext_lazy as _

from govcloud.catalog.models import Cloud
from govcloud.errors import Conflict, Unavailable
from govcloud.gateways.openstack import errors


class CloudSilent(Unavailable):
    code = "cloud-silent"
    message = _("The cloud %(cloud)s cannot be reached: it cannot be looked at now. Nothing has been done.")


class CredentialsRefused(Conflict):
    """Asking again does not help."""

    code = "cloud-refuses-credentials"
    message = _(
        "The cloud %(cloud)s does not let us in: the credentials that are kept for it are refused, or cannot be read here. "
        "Nothing has been done; an administrator of the cloud has to give it others first."
    )


def not_looked_at(cloud: Cloud, error: errors.CloudError) -> CloudSilent | CredentialsRefused:
    """Why a cloud could not be looked at: who asks again later, or somebody has to give it credentials first."""
    refused = CredentialsRefused if isinstance(error, errors.Unauthorized) else CloudSilent
    return refused(cloud=cloud.code)

"""Writing a server's system anew, with the same image or another."""

from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from govcloud.catalog.models import Image
from govcloud.catalog.services import NotAvailableHere, NotInCatalogue, Retired, remembers_enough
from govcloud.errors import Invalid, Invalids
from govcloud.inventory.models import Guest, Power, Resource, ResourceKind, Volume, VolumeRole
from govcloud.provisioning import placement
from govcloud.provisioning.actions.base import NO_KEY, Action
from govcloud.provisioning.services import StepSpec
from tenants.models import NetworkZone, Role
from tenants.naming import name_of

HERE = ("/image",)


class VolumeTooSmallForImage(Invalid):
    code = "volume-too-small-for-image"
    message = _("“%(image)s” needs a system volume of %(minimum)s GB; this server has %(size)s GB.")


@dataclass(frozen=True, slots=True)
class NewSystem:
    image: str = ""  # its code; empty: the one the server has


class Rebuild(Action[NewSystem]):
    """What is on the system volume is lost; name, addresses and data volumes stay.

    The server is stopped before, so that its data volumes are whole even if its guest does not listen any more, and secured
    and checked afterwards like a new one.
    """

    name = "rebuild"
    title = _("write the server's system anew")
    resource_kind = ResourceKind.SERVER
    sensitive = True
    puts_right = True
    roles = (Role.APPLICANT, Role.CLOUD_ADMIN)

    def refusal(self, resource: Resource) -> Promise | None:
        if resource.server.guest == Guest.UNMANAGED:
            return NO_KEY
        known = _volumes(resource, VolumeRole.SYSTEM)
        return None if known else _("it does not boot from a volume that is known here")

    def check(self, resource: Resource, parameters: NewSystem) -> None:
        image = Image.objects.filter(code=parameters.image or resource.server.image.code).first()
        if image is None:
            raise NotInCatalogue(what=_("image"), name=parameters.image, pointers=HERE)
        if image.retired_at is not None and image != resource.server.image:
            raise Retired.of(image, *HERE)
        if not placement.on_cloud(resource.cloud_id, image):
            zone = NetworkZone(resource.zone).label
            raise NotAvailableHere(name=name_of(image), code=image.code, zone=zone, pointers=HERE)
        volume = _volumes(resource, VolumeRole.SYSTEM)[0]
        if volume.size_gb < image.min_disk_gb:
            raise VolumeTooSmallForImage(
                image=name_of(image), minimum=image.min_disk_gb, size=volume.size_gb, pointers=HERE
            )
        forgetful = list(remembers_enough(resource.server.flavor, image, *HERE))
        if forgetful:
            raise Invalids(forgetful)

    def plan(self, resource: Resource, parameters: NewSystem, *, key: str) -> list[StepSpec]:
        unit = str(resource.unit)
        guest: dict[str, object] = {
            "server": unit,
            "volumes": [str(volume.resource.unit) for volume in _volumes(resource, VolumeRole.DATA)],
        }
        chain: list[tuple[str, str, dict[str, object]]] = [
            ("off", "power", {"resource": unit, "power": Power.STOPPED}),
            ("rebuild", "rebuild", {
                "resource": unit,
                "image": parameters.image or resource.server.image.code,
                "system_volume": str(_volumes(resource, VolumeRole.SYSTEM)[0].resource.unit),
            }),
            ("on", "power", {"resource": unit, "power": Power.RUNNING}),
            ("configure", "configure", guest),
            ("confirm", "confirm", guest),
        ]  # fmt: skip
        keys = [f"{key}:{name}" for name, _kind, _state in chain]
        return [
            StepSpec(
                key=keys[n], kind=kind, label=resource.name, unit=resource.unit, desired_state=state,
                needs=tuple(keys[n - 1 : n]) if n else (),
            )
            for n, (_name, kind, state) in enumerate(chain)
        ]  # fmt: skip


def _volumes(resource: Resource, role: VolumeRole) -> list[Volume]:
    found = Volume.objects.filter(server=resource.server, role=role, resource__released_at=None)
    return list(found.select_related("resource").order_by("pk"))

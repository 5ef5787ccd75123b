"""From the name of a cloud to something one can ask: ``connect``, and ``health`` for whether it answers at all."""

import contextlib
import os
import threading
import time
import warnings
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from keystoneauth1 import exceptions as keystone_errors
from openstack import exceptions as sdk_errors
from openstack.config import OpenStackConfig
from openstack.config.cloud_region import CloudRegion

from govcloud.gateways.openstack import certificates, errors
from govcloud.gateways.openstack.backups import Backups
from govcloud.gateways.openstack.capacity import Capacity
from govcloud.gateways.openstack.census import Census
from govcloud.gateways.openstack.compute import Compute
from govcloud.gateways.openstack.identity import Identity
from govcloud.gateways.openstack.images import Images
from govcloud.gateways.openstack.network import Network
from govcloud.gateways.openstack.object_store import ObjectStore
from govcloud.gateways.openstack.quotas import Quotas
from govcloud.gateways.openstack.routing import Routing
from govcloud.gateways.openstack.security import SecurityGroups
from govcloud.gateways.openstack.snapshots import Snapshots
from govcloud.gateways.openstack.survey import Survey
from govcloud.gateways.openstack.transport import Transport
from govcloud.gateways.openstack.volumes import Volumes

_SESSIONS_KEPT: Final = 128
_SCOPE: Final = frozenset(
    {
        "project_id",
        "project_name",
        "project_domain_id",
        "project_domain_name",
        "tenant_id",
        "tenant_name",
        "domain_id",
        "domain_name",
        "system_scope",
    }
)

_transports: "OrderedDict[tuple[object, ...], Transport]" = OrderedDict()
_lock = threading.Lock()


class Cloud:
    """A cloud as one project of it sees it, one attribute per service.

    Cheap to make and safe to share between threads. Nothing is sent before the first question.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def __repr__(self) -> str:
        return f"Cloud({self.name!r})"

    @property
    def name(self) -> str:
        """What clouds.yaml calls it."""
        return self._transport.cloud

    @property
    def project_id(self) -> str:
        """The project that we are scoped to."""
        return self._transport.project_id

    @property
    def auth_url(self) -> str:
        """Where one signs in to it."""
        return self._transport.endpoint("identity")

    def offers(self, service: str) -> bool:
        """Whether its catalogue, or clouds.yaml, has the service. Raises what signing in does."""
        self._transport.authenticate()
        try:
            self._transport.endpoint(service)
        except errors.Misconfigured:
            return False
        return True

    @property
    def user_id(self) -> str:
        """Our own user."""
        return self._transport.user_id

    @cached_property
    def identity(self) -> Identity:
        """Projects, roles and users (Keystone)."""
        return Identity(self._transport)

    @cached_property
    def quotas(self) -> Quotas:
        """Limits of a project in each service."""
        return Quotas(self._transport)

    @cached_property
    def network(self) -> Network:
        """Networks, subnets, ports (Neutron)."""
        return Network(self._transport)

    @cached_property
    def security_groups(self) -> SecurityGroups:
        """Security groups and their rules (Neutron)."""
        return SecurityGroups(self._transport)

    @cached_property
    def routing(self) -> Routing:
        """Routers and floating addresses (Neutron)."""
        return Routing(self._transport)

    @cached_property
    def volumes(self) -> Volumes:
        """Volumes and their attachments (Cinder)."""
        return Volumes(self._transport)

    @cached_property
    def snapshots(self) -> Snapshots:
        """Snapshots of volumes (Cinder)."""
        return Snapshots(self._transport)

    @cached_property
    def backups(self) -> Backups:
        """Backups of volumes (Cinder)."""
        return Backups(self._transport)

    @cached_property
    def objects(self) -> ObjectStore:
        """Object containers (Swift)."""
        return ObjectStore(self._transport)

    @cached_property
    def compute(self) -> Compute:
        """Servers, flavors, keys, usage (Nova)."""
        return Compute(self._transport)

    @cached_property
    def images(self) -> Images:
        """Images (Glance)."""
        return Images(self._transport)

    @cached_property
    def census(self) -> Census:
        """Everything of a kind, of all projects, in pages; for operators' credentials only."""
        return Census(self._transport)

    @cached_property
    def survey(self) -> Survey:
        """What is in a project that need not be ours, in pages; for operators' credentials only."""
        return Survey(self._transport)

    @cached_property
    def capacity(self) -> Capacity:
        """What the whole cloud holds (Placement, Cinder's pools); for operators' credentials only."""
        return Capacity(self._transport)


@dataclass(frozen=True, slots=True)
class Given:
    """How to sign in to a cloud that clouds.yaml does not name.

    ``read`` gives the same settings as an entry there (``auth``, ``region_name``…; ``cacert`` as PEM, not as a path) and
    is called when a session is opened, not before. ``stamp`` tells one set of credentials from the next: sessions that
    were opened with another are dropped.
    """

    stamp: str
    read: Callable[[], Mapping[str, Any]] = field(repr=False)


def connect(
    *, cloud: str, project_id: str | None = None, timeout: float = 30, given: Given | None = None
) -> Cloud:
    """The cloud of this name in clouds.yaml (``OS_CLIENT_CONFIG_FILE``), or the one that is ``given``, seen from a project.

    ``project_id`` scopes the same credentials to that project, on which our user needs a role; application credentials
    are bound to the project they were made in and are refused here. ``timeout`` is the limit of one request in seconds.
    Sessions, and with them tokens, are kept per process; a forked child starts its own; a changed clouds.yaml is read
    anew. Raises ``Misconfigured``, and what ``given.read`` raises.
    """
    stamp = _configuration_stamp() if given is None else given.stamp
    key = (cloud, project_id, timeout, given is None, stamp)
    with _lock:
        transport = _transports.get(key)
        if transport is None:
            transport = Transport(cloud=cloud, region=_region(cloud, project_id, timeout, given))
            _drop_others(cloud, stamp)
            _transports[key] = transport
        _transports.move_to_end(key)
        while len(_transports) > _SESSIONS_KEPT:
            _transports.popitem(last=False)
    return Cloud(transport)


def _drop_others(cloud: str, stamp: object) -> None:
    """Sessions of a cloud that were opened with other credentials."""
    for key in [key for key in _transports if key[0] == cloud and key[-1] != stamp]:
        del _transports[key]


def profiles() -> frozenset[str]:
    """The clouds that clouds.yaml names. Raises ``Misconfigured`` when it cannot be read."""
    with _quiet():
        try:
            return frozenset(OpenStackConfig(app_name="govcloud").get_cloud_names())
        except (sdk_errors.SDKException, keystone_errors.ClientException) as error:
            raise errors.Misconfigured(str(error), service="identity") from error


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        # the SDK warns of its own plans for a metrics store that nobody here configured
        warnings.simplefilter("ignore", PendingDeprecationWarning)
        yield


def _region(cloud: str, project_id: str | None, timeout: float, given: Given | None) -> CloudRegion:
    settings = None if given is None else given.read()
    with _quiet():
        try:
            config = _of_clouds_yaml(cloud) if settings is None else _of_settings(cloud, settings)
            if project_id is not None:
                _rescope(config.cloud_config["clouds"][cloud], project_id)
            return config.get_one(cloud=cloud, api_timeout=timeout)
        except (sdk_errors.SDKException, keystone_errors.ClientException) as error:
            raise errors.Misconfigured(str(error), service="identity") from error


def _of_clouds_yaml(cloud: str) -> OpenStackConfig:
    config = OpenStackConfig(app_name="govcloud")
    if cloud not in config.get_cloud_names():
        raise errors.Misconfigured(f"clouds.yaml names no cloud {cloud!r}", service="identity")
    return config


def _of_settings(cloud: str, settings: Mapping[str, Any]) -> OpenStackConfig:
    """Neither clouds.yaml nor the environment adds anything to what was given."""
    config = OpenStackConfig(app_name="govcloud", load_yaml_config=False, load_envvars=False)
    entry = dict(settings)
    if entry.get("cacert"):
        entry["cacert"] = str(certificates.file_of(entry["cacert"]))
    config.cloud_config["clouds"][cloud] = entry
    return config


def _rescope(settings: dict[str, Any], project_id: str) -> None:
    """Replace the scope in a cloud's settings, leave who we are."""
    if "applicationcredential" in str(settings.get("auth_type", "")).replace("_", ""):
        raise errors.Misconfigured(
            "application credentials cannot be scoped to another project: use a user's password",
            service="identity",
        )
    credentials = {name: value for name, value in settings.get("auth", {}).items() if name not in _SCOPE}
    settings["auth"] = {**credentials, "project_id": project_id}


def _configuration_stamp() -> tuple[str, float]:
    path = os.environ.get("OS_CLIENT_CONFIG_FILE", "")
    try:
        return path, Path(path).stat().st_mtime if path else 0.0
    except OSError:
        return path, 0.0


def _forget() -> None:
    """In a forked child: its parent's connections and lock are not its own."""
    global _lock  # noqa: PLW0603  the parent may have been forked while another thread held it
    _lock = threading.Lock()
    _transports.clear()


os.register_at_fork(after_in_child=_forget)


class Reachability(StrEnum):
    """What a look at a cloud can find."""

    OK = "ok"
    MISCONFIGURED = "misconfigured"
    UNREACHABLE = "unreachable"
    UNAUTHORIZED = "unauthorized"
    FAILING = "failing"


@dataclass(frozen=True, slots=True)
class ServiceHealth:
    """How one service answered one small question."""

    service: str
    state: Reachability
    milliseconds: int


@dataclass(frozen=True, slots=True)
class Health:
    """Whether a cloud can be used; ``service`` is where it failed first and ``detail`` the cloud's own words."""

    state: Reachability
    service: str = ""
    detail: str = ""
    answers: tuple[ServiceHealth, ...] = ()
    object_storage: bool | None = None  # whether the catalogue has it; None when nobody could look

    @property
    def ok(self) -> bool:
        """Whether orders can be carried out there now."""
        return self.state is Reachability.OK


_QUESTIONS: Final[tuple[tuple[str, Callable[[Cloud], object]], ...]] = (
    ("identity", lambda cloud: cloud.project_id),  # signs in
    ("compute", lambda cloud: cloud.compute.limits()),
    ("network", lambda cloud: cloud.network.find_networks(name="health-probe")),
    ("block-storage", lambda cloud: cloud.volumes.limits()),
    ("image", lambda cloud: cloud.images.find_images(name="health-probe")),
)
_OBJECTS: Final[tuple[str, Callable[[Cloud], object]]] = (
    "object-store",
    lambda cloud: cloud.objects.containers_held(),
)
"""Asked where there is an object store."""


def health(*, cloud: str, timeout: float = 5, given: Given | None = None) -> Health:
    """Sign in to a cloud and ask each service one small question. Never raises a ``CloudError``.

    Without a token nothing else is asked. An object store is asked where the cloud has one.
    """
    answers: list[ServiceHealth] = []
    first: errors.CloudError | None = None
    objects = _has_objects(cloud, timeout, given)
    for service, question in (*_QUESTIONS, _OBJECTS) if objects else _QUESTIONS:
        started = time.monotonic()
        state = Reachability.OK
        try:
            question(connect(cloud=cloud, timeout=timeout, given=given))
        except errors.CloudError as error:
            state, first = _state(error), first or error
        answers.append(ServiceHealth(service, state, round((time.monotonic() - started) * 1000)))
        if first is not None and first.service == "identity":
            break
    if first is None:
        return Health(Reachability.OK, answers=tuple(answers), object_storage=objects)
    return Health(_state(first), first.service, first.message, tuple(answers), objects)


def _has_objects(cloud: str, timeout: float, given: Given | None) -> bool | None:
    try:
        return connect(cloud=cloud, timeout=timeout, given=given).offers("object-store")
    except errors.CloudError:
        return None  # the first question tells why


def _state(error: errors.CloudError) -> Reachability:
    match error:
        case errors.Misconfigured() | errors.NoCredentials():
            return Reachability.MISCONFIGURED
        case errors.Unreachable():
            return Reachability.UNREACHABLE
        case errors.Unauthorized():
            return Reachability.UNAUTHORIZED
        case _:
            return Reachability.FAILING

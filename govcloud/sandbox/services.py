"""Every address the sandbox answers at."""

from govcloud.sandbox import controls, image, placement, versions
from govcloud.sandbox.compute import (
    actions,
    flavors,
    history,
    hosts,
    interfaces,
    keypairs,
    servers,
    usage,
    volume_attachments,
)
from govcloud.sandbox.compute import quota as compute_quota
from govcloud.sandbox.identity import projects, tokens
from govcloud.sandbox.network import networks, ports, routers, security, tags
from govcloud.sandbox.object_store import containers, objects
from govcloud.sandbox.volume import actions as volume_actions
from govcloud.sandbox.volume import attachments, backups, metadata, snapshots, transfers, types, volumes
from govcloud.sandbox.volume import quota as volume_quota
from govcloud.sandbox.web import Routes

_MODULES = (
    controls, tokens, projects, servers, actions, history, volume_attachments, interfaces, flavors, keypairs, compute_quota, usage,
    hosts, networks, ports, security, routers, tags, volumes, metadata, volume_actions, attachments, snapshots, transfers, backups,
    types, volume_quota, image, placement, containers, objects,
)  # fmt: skip


def all_routes() -> list[Routes]:
    """The routes of every module."""
    return [*versions.all_routes, *(module.routes for module in _MODULES)]

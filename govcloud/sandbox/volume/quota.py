"""Cinder's quotas: what a project may hold, what it holds, and the 413 that says so."""

from govcloud.sandbox.cloud import Cloud
from govcloud.sandbox.errors import bad_request, forbidden, over_limit
from govcloud.sandbox.web import Body, Call, Routes

routes = Routes("volume", "/volume/v3/<project_id>", "/volume/v3")
DEFAULTS = {
    "volumes": 10,
    "snapshots": 10,
    "gigabytes": 1000,
    "backups": 10,
    "backup_gigabytes": 1000,
    "per_volume_gigabytes": -1,
    "groups": 10,
}


def limits_of(cloud: Cloud, project_id: str) -> dict[str, int]:
    """The project's limits, those per volume type included; -1 is none."""
    limits = dict(DEFAULTS)
    for volume_type in cloud.store.find("volume_type"):
        for unit in ("volumes", "snapshots", "gigabytes"):
            limits[f"{unit}_{volume_type['name']}"] = -1
    row = cloud.store.get("volume_quota", project_id)
    return limits | (row["limits"] if row else {})


def usage_of(cloud: Cloud, project_id: str) -> dict[str, int]:
    """What counts against each limit now. An incremental backup counts the volume's full size, as in the real one."""
    volumes = cloud.store.find("volume", project_id=project_id)
    snapshots = cloud.store.find("snapshot", project_id=project_id)
    backups = cloud.store.find("backup", project_id=project_id)
    used = {
        "volumes": len(volumes),
        "snapshots": len(snapshots),
        "gigabytes": sum(v["size"] for v in volumes) + sum(s["size"] for s in snapshots),
        "backups": len(backups),
        "backup_gigabytes": sum(b["size"] for b in backups),
        "per_volume_gigabytes": 0,
        "groups": 0,
    }
    for row, unit in [(v, "volumes") for v in volumes] + [(s, "snapshots") for s in snapshots]:
        for key, amount in (
            (f"{unit}_{row['volume_type']}", 1),
            (f"gigabytes_{row['volume_type']}", row["size"]),
        ):
            used[key] = used.get(key, 0) + amount
    return used


def check_volume(cloud: Cloud, project_id: str, *, size: int, volume_type: str) -> None:
    """Refuse a volume that would go over the quota.

    Raises:
        ApiError: 413.

    """
    limits, used = limits_of(cloud, project_id), usage_of(cloud, project_id)
    _check_per_volume(limits, size)
    check_gigabytes(cloud, project_id, more=size, volume_type=volume_type)
    for name in ("volumes", f"volumes_{volume_type}"):
        if 0 <= limits[name] < used.get(name, 0) + 1:
            raise over_limit(
                f"Maximum number of volumes allowed ({limits[name]}) exceeded for quota '{name}'."
            )


def check_extension(cloud: Cloud, project_id: str, *, size: int, more: int, volume_type: str) -> None:
    """Refuse an extension to `size` GB, by `more` GB, that would go over the quota."""
    _check_per_volume(limits_of(cloud, project_id), size)
    check_gigabytes(cloud, project_id, more=more, volume_type=volume_type)


def check_gigabytes(cloud: Cloud, project_id: str, *, more: int, volume_type: str) -> None:
    """Refuse `more` GB of volumes and snapshots together."""
    limits, used = limits_of(cloud, project_id), usage_of(cloud, project_id)
    for name in ("gigabytes", f"gigabytes_{volume_type}"):
        consumed = used.get(name, 0)
        if 0 <= limits[name] < consumed + more:
            raise over_limit(
                f"Requested volume or snapshot exceeds allowed {name} quota. Requested {more}G, quota is "
                f"{limits[name]}G and {consumed}G has been consumed."
            )


def check_snapshot(cloud: Cloud, project_id: str, *, size: int, volume_type: str) -> None:
    """Refuse a snapshot that would go over the quota."""
    check_gigabytes(cloud, project_id, more=size, volume_type=volume_type)
    limit = limits_of(cloud, project_id)["snapshots"]
    if 0 <= limit < usage_of(cloud, project_id)["snapshots"] + 1:
        raise over_limit(f"Maximum number of snapshots allowed ({limit}) exceeded")


def check_backup(cloud: Cloud, project_id: str, *, size: int) -> None:
    """Refuse a backup of a volume of `size` GB that would go over the quota."""
    limits, used = limits_of(cloud, project_id), usage_of(cloud, project_id)
    if 0 <= limits["backup_gigabytes"] < used["backup_gigabytes"] + size:
        raise over_limit(
            f"Requested backup exceeds allowed Backup gigabytes quota. Requested {size}G, quota is "
            f"{limits['backup_gigabytes']}G and {used['backup_gigabytes']}G has been consumed."
        )
    if 0 <= limits["backups"] < used["backups"] + 1:
        raise over_limit(f"Maximum number of backups allowed ({limits['backups']}) exceeded")


def _check_per_volume(limits: dict[str, int], size: int) -> None:
    if 0 <= limits["per_volume_gigabytes"] < size:
        limit = limits["per_volume_gigabytes"]
        raise over_limit(f"Requested volume size {size}G is larger than maximum allowed limit {limit}G.")


@routes("GET", "/os-quota-sets/<project>")
def show_quota(call: Call) -> Body:
    """Limits, with use when `usage` is asked for."""
    project = call.args["project"]
    if not call.caller.is_admin and call.caller.project_id != project:
        raise forbidden("Policy doesn't allow volume_extension:quotas:show to be performed.")
    limits = limits_of(call.cloud, project)
    if not call.flag("usage"):
        return {"quota_set": {"id": project, **limits}}
    used = usage_of(call.cloud, project)
    shown = {
        name: {"limit": limit, "in_use": used.get(name, 0), "reserved": 0, "allocated": 0}
        for name, limit in limits.items()
    }
    return {"quota_set": {"id": project, **shown}}


@routes("GET", "/os-quota-sets/<project>/defaults")
def show_defaults(call: Call) -> Body:
    return {"quota_set": {"id": call.args["project"], **DEFAULTS}}


@routes("PUT", "/os-quota-sets/<project>")
def set_quota(call: Call) -> Body:
    call.require_admin("volume_extension:quotas:update")
    project, asked = call.args["project"], call.part("quota_set")
    limits, used = limits_of(call.cloud, project), usage_of(call.cloud, project)
    wanted = {name: int(value) for name, value in asked.items() if name in limits}
    for name, limit in wanted.items():
        if 0 <= limit < used.get(name, 0):
            raise bad_request(
                f"Quota {name} limit must be equal or greater than existing resources. Current usage is "
                f"{used[name]} and the requested limit is {limit}."
            )
    limits |= wanted
    call.cloud.store.save("volume_quota", {"id": project, "limits": limits})
    return {"quota_set": limits}


@routes("DELETE", "/os-quota-sets/<project>")
def reset_quota(call: Call) -> Body:
    call.require_admin("volume_extension:quotas:delete")
    call.cloud.store.delete("volume_quota", call.args["project"])
    return {}


@routes("GET", "/limits")
def show_limits(call: Call) -> Body:
    """Absolute limits and use of the caller's project, or of `project_id` for an admin."""
    project = call.query("project_id") if call.caller.is_admin else None
    project = project or call.project
    limits, used = limits_of(call.cloud, project), usage_of(call.cloud, project)
    absolute = {
        "maxTotalVolumes": limits["volumes"],
        "maxTotalSnapshots": limits["snapshots"],
        "maxTotalVolumeGigabytes": limits["gigabytes"],
        "maxTotalBackups": limits["backups"],
        "maxTotalBackupGigabytes": limits["backup_gigabytes"],
        "totalVolumesUsed": used["volumes"],
        "totalSnapshotsUsed": used["snapshots"],
        "totalGigabytesUsed": used["gigabytes"],
        "totalBackupsUsed": used["backups"],
        "totalBackupGigabytesUsed": used["backup_gigabytes"],
    }
    return {"limits": {"rate": [], "absolute": absolute}}

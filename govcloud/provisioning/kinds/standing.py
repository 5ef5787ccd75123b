"""Where a thing stands in the cloud, in words: for the people who are asked once it has taken too long."""

from govcloud.gateways.openstack.models import Server, Volume


def of_server(server: Server) -> str:
    """With what is being done to it, and with what went wrong as far as the cloud says so."""
    told = f"the server is {server.status}" + (f" ({server.task_state})" if server.task_state else "")
    return f"{told}: {server.fault.message}" if server.status == "ERROR" and server.fault else told


def of_volume(volume: Volume) -> str:
    return f"the volume is {volume.status}"

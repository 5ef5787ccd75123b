"""Gives the cloud what a catalogue offers: flavors, volume types and, where it was built, the guest image.

Run it as often as you like: what is there is left alone.  Flavors bear the names they have on a large cloud but are
small: the guests are emulated, and a hypervisor refuses a guest with more vCPUs than it has cores itself.
"""

import os
from pathlib import Path

import openstack

IMAGE = Path(os.environ["DC_IMAGE"])
FLAVORS = {  # name: vCPUs, memory in MiB
    f"{line}.{size}": shape
    for line in ("g", "x")
    for size, shape in {"2c4g": (1, 320), "2c8g": (1, 384), "4c8g": (2, 448), "4c16g": (2, 512)}.items()
}
VOLUME_TYPES = ("ssd", "sas", "capacity")
KERNEL_ARGUMENTS = "root=/dev/vda console=ttyS0 panic=-1 net.ifnames=0"


def seed_flavors(cloud):
    have = {flavor.name for flavor in cloud.compute.flavors()}
    for name in FLAVORS.keys() - have:
        vcpus, memory = FLAVORS[name]
        # no disk of their own: servers boot from volumes
        cloud.compute.create_flavor(name=name, ram=memory, vcpus=vcpus, disk=0)


def seed_volume_types(cloud):
    have = {kind.name for kind in cloud.block_storage.types()}
    for name in VOLUME_TYPES:
        if name not in have:
            cloud.block_storage.create_type(
                name=name, is_public=True, extra_specs={"volume_backend_name": "nfs"}
            )


def upload(cloud, name, file, **properties):
    found = next(cloud.image.images(name=name, status="active"), None)
    return found or cloud.image.create_image(
        name=name, filename=str(IMAGE / file), visibility="public", wait=True, **properties
    )


def seed_guest_image(cloud):
    """A raw disk with its kernel and initrd beside it: the guest's disk needs no boot loader."""
    if not (IMAGE / "root.img").exists():
        return False
    kernel = upload(cloud, "debian-12-kernel", "vmlinuz", disk_format="aki", container_format="aki")
    initrd = upload(cloud, "debian-12-initrd", "initrd", disk_format="ari", container_format="ari")
    upload(
        cloud,
        "debian-12",
        "root.img",
        disk_format="raw",
        container_format="bare",
        min_disk=1,
        kernel_id=kernel.id,
        ramdisk_id=initrd.id,
        os_command_line=KERNEL_ARGUMENTS,
        hw_rng_model="virtio",
        os_distro="debian",
        os_version="12",
        os_admin_user="debian",
        govcloud_guest="full",
    )
    return True


cloud = openstack.connect(cloud="devcloud")
seed_flavors(cloud)
seed_volume_types(cloud)
guest = seed_guest_image(cloud)
print(
    "    flavors and volume types are there"
    + (", and the guest image" if guest else "; no guest image: run mkimage")
)

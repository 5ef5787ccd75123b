"""Writes the configuration of every service below $DC_STATE/etc, the keys of Keystone, and clouds.yaml.

Called by `up` on every start: what it writes depends on the environment alone (see env.sh), so running it again
changes nothing.  Keys are made once and kept.
"""

import base64
import os
import secrets
import shutil
from pathlib import Path

STATE = os.environ["DC_STATE"]
VENV = os.environ["DC_VENV"]
DATABASE_PORT = os.environ["DC_DB_PORT"]
LIBVIRT = os.environ.get("DC_VIRT", "fake") != "fake"
VIRT_TYPE = os.environ.get("DC_VIRT_TYPE", "qemu")
ETC = Path(STATE) / "etc"
RABBIT = "rabbit://guest:guest@127.0.0.1:5672/"
SERVICE_PASSWORD = "devcloud"
FIXED_KEY = "0123456789abcdef" * 4
EXECUTABLES = f"{STATE}/bin,{VENV}/bin,/usr/local/sbin,/usr/local/bin,/usr/sbin,/usr/bin,/sbin,/bin"


def write(path, text):
    target = ETC / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text)


def directories(*names):
    for name in names:
        Path(STATE, name).mkdir(parents=True, exist_ok=True)


def packaged(service, *names):
    """Files that the service's own package brings."""
    (ETC / service).mkdir(parents=True, exist_ok=True)
    for name in names:
        shutil.copy(f"{VENV}/etc/{service}/{name}", ETC / service / name)


def database(name):
    return f"mysql+pymysql://devcloud:devcloud@127.0.0.1:{DATABASE_PORT}/{name}?charset=utf8"


def database_section(name, section="database"):
    return f"""
[{section}]
connection = {database(name)}
max_pool_size = 8
max_overflow = 20
"""


def credentials(user):
    """How a service signs in to Keystone; to be put under a section's name."""
    return f"""auth_url = http://127.0.0.1:5000/v3
auth_type = password
username = {user}
password = {SERVICE_PASSWORD}
project_name = service
user_domain_name = Default
project_domain_name = Default
region_name = RegionOne
"""


def keystone_authtoken(user):
    """How a service checks its callers' tokens."""
    return f"""
[keystone_authtoken]
{credentials(user)}www_authenticate_uri = http://127.0.0.1:5000/v3
memcached_servers = 127.0.0.1:11211
service_token_roles = service
service_token_roles_required = true
"""


def messaging(service):
    directories(f"{service}/lock")
    return f"""
[oslo_concurrency]
lock_path = {STATE}/{service}/lock

[oslo_messaging_rabbit]
heartbeat_in_pthread = false
rabbit_quorum_queue = false

[oslo_messaging_notifications]
driver = messagingv2
topics = notifications
"""


CACHE = """
[cache]
enabled = true
backend = dogpile.cache.pymemcache
memcache_servers = 127.0.0.1:11211
"""


def rootwrap(service):
    write(
        f"{service}/rootwrap.conf",
        f"""[DEFAULT]
filters_path = {VENV}/etc/{service}/rootwrap.d,{VENV}/etc/os-brick/rootwrap.d
exec_dirs = {EXECUTABLES}
use_syslog = false
""",
    )


def keystone():
    write(
        "keystone/keystone.conf",
        f"""[DEFAULT]
log_dir =
use_stderr = true
transport_url = {RABBIT}
{database_section("keystone")}{messaging("keystone")}{CACHE}
[token]
provider = fernet
expiration = 86400
[fernet_tokens]
key_repository = {STATE}/keystone/fernet-keys/
[fernet_receipts]
key_repository = {STATE}/keystone/fernet-keys/
[credential]
key_repository = {STATE}/keystone/credential-keys/
[identity]
password_hash_rounds = 4
""",
    )
    for repository in (
        "fernet-keys",
        "credential-keys",
    ):  # what keystone-manage fernet_setup and credential_setup make
        folder = Path(STATE, "keystone", repository)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name in "01":
            if not (folder / name).exists():
                (folder / name).write_bytes(base64.urlsafe_b64encode(secrets.token_bytes(32)))


def placement():
    write(
        "placement/placement.conf",
        f"""[DEFAULT]
use_stderr = true
[placement_database]
connection = {database("placement")}
[api]
auth_strategy = keystone
{keystone_authtoken("placement")}""",
    )


def glance():
    directories("glance/images", "glance/staging", "glance/tasks")
    packaged("glance", "glance-api-paste.ini")
    write(
        "glance/glance-api.conf",
        f"""[DEFAULT]
use_stderr = true
transport_url = {RABBIT}
bind_host = 127.0.0.1
enabled_backends = fs:file
enabled_import_methods = [glance-direct,web-download,copy-image]
show_multiple_locations = false
worker_self_reference_url = http://127.0.0.1:9292
node_staging_uri = file://{STATE}/glance/staging
{database_section("glance")}{messaging("glance")}
[paste_deploy]
flavor = keystone
config_file = {ETC}/glance/glance-api-paste.ini
[glance_store]
default_backend = fs
[fs]
filesystem_store_datadir = {STATE}/glance/images
[os_glance_staging_store]
filesystem_store_datadir = {STATE}/glance/staging
[os_glance_tasks_store]
filesystem_store_datadir = {STATE}/glance/tasks
{keystone_authtoken("glance")}""",
    )


def nova():
    directories("nova/instances")
    packaged("nova", "api-paste.ini")
    rootwrap("nova")
    common = f"""transport_url = {RABBIT}
use_stderr = true
my_ip = 127.0.0.1
host = devcloud
state_path = {STATE}/nova
rootwrap_config = {ETC}/nova/rootwrap.conf
instances_path = {STATE}/nova/instances
osapi_compute_workers = 1
metadata_workers = 1
osapi_compute_listen = 127.0.0.1
allow_resize_to_same_host = true
resume_guests_state_on_host_boot = true
service_down_time = 60
{messaging("nova")}{CACHE}
[wsgi]
api_paste_config = {ETC}/nova/api-paste.ini
[api]
auth_strategy = keystone
[conductor]
workers = 1
[scheduler]
workers = 1
[filter_scheduler]
track_instance_changes = false
[notifications]
notify_on_state_change = vm_and_task_state
notification_format = both
[glance]
region_name = RegionOne
[cinder]
os_region_name = RegionOne
catalog_info = block-storage::publicURL
{credentials("nova")}
[key_manager]
backend = nova.keymgr.conf_key_mgr.ConfKeyManager
fixed_key = {FIXED_KEY}
[placement]
{credentials("placement")}
[neutron]
{credentials("neutron")}service_metadata_proxy = true
metadata_proxy_shared_secret = devcloud
[service_user]
{credentials("nova")}send_service_user_token = true
{keystone_authtoken("nova")}"""
    write(
        "nova/nova.conf",
        "[DEFAULT]\n" + common + database_section("nova") + database_section("nova_api", "api_database"),
    )
    # nova-compute has no business in the database
    write(
        "nova/nova-cpu.conf",
        f"""[DEFAULT]
compute_driver = {"libvirt.LibvirtDriver" if LIBVIRT else "fake.FakeDriver"}
vif_plugging_is_fatal = {LIBVIRT}
vif_plugging_timeout = {120 if LIBVIRT else 0}
force_config_drive = {LIBVIRT}
force_raw_images = false
shutdown_timeout = 10
reimage_timeout_per_gb = 120
reserved_host_memory_mb = 512
cpu_allocation_ratio = 16.0
{common}
[vnc]
enabled = false
[libvirt]
virt_type = {VIRT_TYPE}
cpu_mode = none
images_type = qcow2
num_pcie_ports = 8
wait_soft_reboot_seconds = 20
live_migration_inbound_addr = 127.0.0.1
nfs_mount_point_base = {STATE}/nova/mnt
""",
    )


def neutron():
    packaged("neutron", "api-paste.ini")
    write(
        "neutron/neutron.conf",
        f"""[DEFAULT]
use_stderr = true
transport_url = {RABBIT}
host = devcloud
state_path = {STATE}/neutron
bind_host = 127.0.0.1
core_plugin = ml2
service_plugins = router,qos,trunk,port_forwarding
api_paste_config = {ETC}/neutron/api-paste.ini
rpc_workers = 1
rpc_state_report_workers = 0
api_workers = 1
global_physnet_mtu = 1500
dhcp_agents_per_network = 1
notify_nova_on_port_status_changes = true
notify_nova_on_port_data_changes = true
agent_down_time = 60
{database_section("neutron")}{messaging("neutron")}
[agent]
report_interval = 15
[experimental]
[ml2]
type_drivers = local,flat,vlan,vxlan
tenant_network_types = vxlan
mechanism_drivers = openvswitch
extension_drivers = port_security,qos
[ml2_type_flat]
flat_networks = public
[ml2_type_vlan]
network_vlan_ranges = public:100:200
[ml2_type_vxlan]
vni_ranges = 1:1000
[securitygroup]
firewall_driver = openvswitch
enable_security_group = true
[nova]
{credentials("nova")}
[placement]
{credentials("placement")}{keystone_authtoken("neutron")}""",
    )
    write(
        "neutron/agents.conf",
        """[DEFAULT]
interface_driver = openvswitch
enable_isolated_metadata = true
force_metadata = false
dhcp_domain = openstacklocal
nova_metadata_host = 127.0.0.1
nova_metadata_port = 8775
metadata_proxy_shared_secret = devcloud
metadata_workers = 1
[ovs]
datapath_type = netdev
bridge_mappings = public:br-ex
local_ip = 127.0.0.1
ovsdb_connection = tcp:127.0.0.1:6640
[agent]
tunnel_types = vxlan
report_interval = 15
root_helper = sudo
root_helper_daemon =
""",
    )


def cinder():
    directories("cinder/export", "cinder/backups")
    packaged("cinder", "api-paste.ini", "resource_filters.json")
    rootwrap("cinder")
    write("cinder/nfs_shares", f"127.0.0.1:{STATE}/cinder/export\n")
    write(
        "cinder/cinder.conf",
        f"""[DEFAULT]
use_stderr = true
transport_url = {RABBIT}
my_ip = 127.0.0.1
host = devcloud
state_path = {STATE}/cinder
auth_strategy = keystone
api_paste_config = {ETC}/cinder/api-paste.ini
resource_query_filters_file = {ETC}/cinder/resource_filters.json
rootwrap_config = {ETC}/cinder/rootwrap.conf
osapi_volume_listen = 127.0.0.1
enabled_backends = nfs
default_volume_type = standard
backup_driver = cinder.backup.drivers.posix.PosixBackupDriver
backup_posix_path = {STATE}/cinder/backups
backup_workers = 1
backup_file_size = 52428800
backup_sha_block_size_bytes = 1048576
backup_compression_algorithm = zstd
volume_clear = none
report_interval = 5
{database_section("cinder")}{messaging("cinder")}
[nfs]
volume_driver = cinder.volume.drivers.nfs.NfsDriver
volume_backend_name = nfs
nfs_shares_config = {ETC}/cinder/nfs_shares
nfs_mount_point_base = {STATE}/cinder/mnt
nfs_sparsed_volumes = true
nfs_snapshot_support = true
nas_secure_file_operations = false
nas_secure_file_permissions = false
[key_manager]
backend = cinder.keymgr.conf_key_mgr.ConfKeyManager
fixed_key = {FIXED_KEY}
[glance]
{credentials("cinder")}
[nova]
{credentials("nova")}
[service_user]
{credentials("cinder")}send_service_user_token = true
{keystone_authtoken("cinder")}""",
    )


def stand_ins():
    """Two programs that the services call and that mean something else here."""
    # the services run as root: nothing for sudo to do
    sudo = '#!/bin/sh\nwhile [ "${1#-}" != "$1" ]; do shift; done\nexec "$@"\n'
    # no NFS client in this kernel: an "NFS mount" of a directory of this machine is a bind mount
    mount_nfs = (
        "#!/bin/sh\n# devcloud: mount.nfs HOST:/DIR MOUNTPOINT [-o ...]\n[ $# -ge 2 ] || exit 1\n"
        'exec mount --bind "${1#*:}" "$2"\n'
    )
    directories("bin")
    for path, text in ((Path(STATE, "bin/sudo"), sudo), (Path(STATE, "bin/mount.nfs"), mount_nfs)):
        path.write_text(text)
        path.chmod(0o755)
    real = Path("/sbin/mount.nfs")  # mount(8) looks nowhere else; a machine's own is left alone
    if not real.exists() or b"mount --bind" in real.read_bytes()[:300]:
        shutil.copy(Path(STATE, "bin/mount.nfs"), real)


def clouds_yaml():
    path = Path(STATE, "clouds.yaml")
    path.touch(mode=0o644)
    path.write_text("""clouds:
  devcloud:
    auth:
      auth_url: http://127.0.0.1:5000/v3
      username: admin
      password: admin
      project_name: admin
      user_domain_name: Default
      project_domain_name: Default
    region_name: RegionOne
    identity_api_version: 3
  devcloud-system:
    auth:
      auth_url: http://127.0.0.1:5000/v3
      username: admin
      password: admin
      user_domain_name: Default
      system_scope: all
    region_name: RegionOne
    identity_api_version: 3
""")


for step in (keystone, placement, glance, nova, neutron, cinder, stand_ins, clouds_yaml):
    step()

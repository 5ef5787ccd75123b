"""Writes the configuration of every service below $DC_STATE/etc."""
import base64
import glob
import os
import shutil
import stat

S = os.environ["DC_STATE"]
V = os.environ["DC_VENV"]
VIRT = os.environ.get("DC_VIRT", "fake")
ETC = f"{S}/etc"
DB = f"mysql+pymysql://devcloud:devcloud@127.0.0.1:{os.environ['DC_DB_PORT']}/%s?charset=utf8"
RABBIT = "rabbit://guest:guest@127.0.0.1:5672/"
PW = "devcloud"          # of the service users
SP = glob.glob(f"{V}/lib/python3.*/site-packages")[0]


def put(path, text):
    path = f"{ETC}/{path}"
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as f:
        f.write(text)


def auth(user, section="keystone_authtoken"):
    extra = ""
    if section == "keystone_authtoken":
        extra = ("www_authenticate_uri = http://127.0.0.1:5000/v3\n"
                 "memcached_servers = 127.0.0.1:11211\n"
                 "service_token_roles = service\nservice_token_roles_required = true\n"
                 "service_type_unused = x\n".replace("service_type_unused = x\n", ""))
    return (f"[{section}]\nauth_url = http://127.0.0.1:5000/v3\nauth_type = password\n"
            f"username = {user}\npassword = {PW}\nproject_name = service\n"
            f"user_domain_name = Default\nproject_domain_name = Default\n"
            f"region_name = RegionOne\n{extra}\n")


def common(name, conn):
    os.makedirs(f"{S}/{name}/lock", exist_ok=True)
    return f"""
[database]
connection = {DB % conn}
max_pool_size = 8
max_overflow = 20

[oslo_concurrency]
lock_path = {S}/{name}/lock

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

put("keystone/keystone.conf", f"""[DEFAULT]
log_dir =
use_stderr = true
transport_url = {RABBIT}
{common('keystone', 'keystone')}{CACHE}
[token]
provider = fernet
expiration = 86400
[fernet_tokens]
key_repository = {S}/keystone/fernet-keys/
[fernet_receipts]
key_repository = {S}/keystone/fernet-keys/
[credential]
key_repository = {S}/keystone/credential-keys/
[identity]
password_hash_rounds = 4
""")

for d in ("fernet-keys", "credential-keys"):     # what keystone-manage fernet_setup and credential_setup make
    os.makedirs(f"{S}/keystone/{d}", mode=0o700, exist_ok=True)
    for k in "01":
        if not os.path.exists(f"{S}/keystone/{d}/{k}"):
            with open(f"{S}/keystone/{d}/{k}", "wb") as f:
                f.write(base64.urlsafe_b64encode(os.urandom(32)))

put("placement/placement.conf", f"""[DEFAULT]
use_stderr = true
[placement_database]
connection = {DB % 'placement'}
[api]
auth_strategy = keystone
{auth('placement')}""")

os.makedirs(f"{S}/glance/images", exist_ok=True)
for f in ("glance-api-paste.ini",):
    shutil.copy(f"{V}/etc/glance/{f}", f"{ETC}/glance/{f}") if os.path.isdir(f"{ETC}/glance") else (
        os.makedirs(f"{ETC}/glance"), shutil.copy(f"{V}/etc/glance/{f}", f"{ETC}/glance/{f}"))
put("glance/glance-api.conf", f"""[DEFAULT]
use_stderr = true
transport_url = {RABBIT}
bind_host = 127.0.0.1
enabled_backends = fs:file
enabled_import_methods = [glance-direct,web-download,copy-image]
show_multiple_locations = false
worker_self_reference_url = http://127.0.0.1:9292
node_staging_uri = file://{S}/glance/staging
{common('glance', 'glance')}
[paste_deploy]
flavor = keystone
config_file = {ETC}/glance/glance-api-paste.ini
[glance_store]
default_backend = fs
[fs]
filesystem_store_datadir = {S}/glance/images
[os_glance_staging_store]
filesystem_store_datadir = {S}/glance/staging
[os_glance_tasks_store]
filesystem_store_datadir = {S}/glance/tasks
{auth('glance')}""")
for d in ("staging", "tasks"):
    os.makedirs(f"{S}/glance/{d}", exist_ok=True)

os.makedirs(f"{ETC}/nova", exist_ok=True)
shutil.copy(f"{V}/etc/nova/api-paste.ini", f"{ETC}/nova/api-paste.ini")
os.makedirs(f"{S}/nova/instances", exist_ok=True)
nova_conf = f"""[DEFAULT]
use_stderr = true
transport_url = {RABBIT}
my_ip = 127.0.0.1
host = devcloud
state_path = {S}/nova
rootwrap_config = {ETC}/nova/rootwrap.conf
instances_path = {S}/nova/instances
osapi_compute_workers = 1
metadata_workers = 1
osapi_compute_listen = 127.0.0.1
allow_resize_to_same_host = true
resume_guests_state_on_host_boot = true
service_down_time = 60
{common('nova', 'nova')}{CACHE}
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
{auth('nova', 'cinder').replace('[cinder]', '')}
[key_manager]
backend = nova.keymgr.conf_key_mgr.ConfKeyManager
fixed_key = 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
{auth('placement', 'placement')}
{auth('neutron', 'neutron')}service_metadata_proxy = true
metadata_proxy_shared_secret = devcloud
{auth('nova', 'service_user')}send_service_user_token = true
{auth('nova')}"""
put("nova/rootwrap.conf", f"""[DEFAULT]
filters_path = {V}/etc/nova/rootwrap.d,{V}/etc/os-brick/rootwrap.d
exec_dirs = {S}/bin,{V}/bin,/usr/local/sbin,/usr/local/bin,/usr/sbin,/usr/bin,/sbin,/bin
use_syslog = false
""")
put("nova/nova.conf", nova_conf + f"""
[api_database]
connection = {DB % 'nova_api'}
max_pool_size = 8
max_overflow = 20
""")
libvirt = VIRT != 'fake'
# nova-compute has no business in the database
cpu = nova_conf.replace("[DEFAULT]", f"""[DEFAULT]
compute_driver = {'libvirt.LibvirtDriver' if libvirt else 'fake.FakeDriver'}
vif_plugging_is_fatal = {libvirt}
vif_plugging_timeout = {120 if libvirt else 0}
force_config_drive = {libvirt}
force_raw_images = false
shutdown_timeout = 10
reserved_host_memory_mb = 512
""", 1)
a, b = cpu.index("[database]"), cpu.index("[oslo_concurrency]")
put("nova/nova-cpu.conf", cpu[:a] + cpu[b:] + f"""
[vnc]
enabled = false
[libvirt]
virt_type = {os.environ.get('DC_VIRT_TYPE', 'qemu')}
cpu_mode = none
images_type = qcow2
num_pcie_ports = 8
wait_soft_reboot_seconds = 20
live_migration_inbound_addr = 127.0.0.1
nfs_mount_point_base = {S}/nova/mnt
""")

os.makedirs(f"{ETC}/neutron", exist_ok=True)
shutil.copy(f"{V}/etc/neutron/api-paste.ini", f"{ETC}/neutron/api-paste.ini")
put("neutron/neutron.conf", f"""[DEFAULT]
use_stderr = true
transport_url = {RABBIT}
host = devcloud
state_path = {S}/neutron
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
{common('neutron', 'neutron')}
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
{auth('nova', 'nova')}
{auth('placement', 'placement')}
{auth('neutron')}""")

put("neutron/agents.conf", f"""[DEFAULT]
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
""")

os.makedirs(f"{ETC}/cinder", exist_ok=True)
for f in ("api-paste.ini", "resource_filters.json"):
    shutil.copy(f"{V}/etc/cinder/{f}", f"{ETC}/cinder/{f}")
for a in ("A", "B"):
    os.makedirs(f"{S}/cinder/export{a}", exist_ok=True)
put("cinder/rootwrap.conf", f"""[DEFAULT]
filters_path = {V}/etc/cinder/rootwrap.d,{V}/etc/os-brick/rootwrap.d
exec_dirs = {S}/bin,{V}/bin,/usr/local/sbin,/usr/local/bin,/usr/sbin,/usr/bin,/sbin,/bin
use_syslog = false
""")
put("cinder/nfs_shares", f"127.0.0.1:{S}/cinder/exportA\n")
put("cinder/cinder.conf", f"""[DEFAULT]
use_stderr = true
transport_url = {RABBIT}
my_ip = 127.0.0.1
host = devcloud
state_path = {S}/cinder
auth_strategy = keystone
api_paste_config = {ETC}/cinder/api-paste.ini
resource_query_filters_file = {ETC}/cinder/resource_filters.json
rootwrap_config = {ETC}/cinder/rootwrap.conf
osapi_volume_listen = 127.0.0.1
enabled_backends = nfs
default_volume_type = standard
backup_driver = cinder.backup.drivers.posix.PosixBackupDriver
backup_posix_path = {S}/cinder/backups
backup_workers = 1
backup_file_size = 52428800
backup_sha_block_size_bytes = 1048576
backup_compression_algorithm = zstd
volume_clear = none
report_interval = 5
{common('cinder', 'cinder')}
[nfs]
volume_driver = cinder.volume.drivers.nfs.NfsDriver
volume_backend_name = nfs
nfs_shares_config = {ETC}/cinder/nfs_shares
nfs_mount_point_base = {S}/cinder/mnt
nfs_sparsed_volumes = true
nfs_snapshot_support = true
nas_secure_file_operations = false
nas_secure_file_permissions = false
[key_manager]
backend = cinder.keymgr.conf_key_mgr.ConfKeyManager
fixed_key = 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
{auth('cinder', 'glance')}
{auth('nova', 'nova')}
{auth('cinder', 'service_user')}send_service_user_token = true
{auth('cinder')}""")
os.makedirs(f"{S}/cinder/backups", exist_ok=True)

# services run as root: nothing for sudo to do
with open(f"{S}/bin/sudo", "w") as f:
    f.write('#!/bin/sh\nwhile [ "${1#-}" != "$1" ]; do shift; done\nexec "$@"\n')
# no NFS client in this kernel: an "NFS mount" of a directory of this machine is a bind mount
with open(f"{S}/bin/mount.nfs", "w") as f:
    f.write('#!/bin/sh\n# mount.nfs HOST:/DIR MOUNTPOINT [-o ...]\n[ $# -ge 2 ] || exit 1\n'
            'exec mount --bind "${1#*:}" "$2"\n')
for p in ("sudo", "mount.nfs"):
    os.chmod(f"{S}/bin/{p}", 0o755)
if not os.path.exists("/sbin/mount.nfs") or "bind" in open("/sbin/mount.nfs", errors="replace").read(300):
    shutil.copy(f"{S}/bin/mount.nfs", "/sbin/mount.nfs")

with open(f"{S}/clouds.yaml", "w") as f:
    f.write("""clouds:
  devcloud:
    auth: &auth
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

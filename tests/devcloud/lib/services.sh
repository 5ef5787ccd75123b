# Each service: its database schema and its processes. Sourced by up and by lib/provision.py.
mysql_() { mariadb --no-defaults -S "$RUN/mysql.sock" -uroot "$@"; }

start_mariadb() {
  running mariadb && return 0
  if [ ! -d "$DC_STATE/mysql/mysql" ]; then
    mkdir -p "$DC_STATE/mysql"; chown mysql "$DC_STATE/mysql"
    mariadb-install-db --no-defaults --user=mysql --datadir="$DC_STATE/mysql" \
      --auth-root-authentication-method=normal --skip-test-db --innodb-flush-method=nosync \
      >"$LOG/mariadb-install.log" 2>&1
  fi
  chmod 755 "$DC_STATE"; chown mysql "$RUN"
  {
    for d in keystone placement glance nova_api nova_cell0 nova neutron cinder; do
      echo "CREATE DATABASE IF NOT EXISTS $d CHARACTER SET utf8mb3;"
    done
    echo "CREATE USER IF NOT EXISTS 'devcloud'@'127.0.0.1' IDENTIFIED BY 'devcloud';"
    echo "GRANT ALL ON *.* TO 'devcloud'@'127.0.0.1';"
  } >"$ETC/init.sql"
  spawn mariadb mariadbd --no-defaults --user=mysql --datadir="$DC_STATE/mysql" \
    --socket="$RUN/mysql.sock" --bind-address=127.0.0.1 --port="$DC_DB_PORT" \
    --pid-file="$RUN/mariadbd.pid" --init-file="$ETC/init.sql" --skip-name-resolve \
    --skip-log-bin --performance-schema=off --max-connections=1000 \
    --innodb-flush-method=nosync --innodb-flush-log-at-trx-commit=0 --innodb-doublewrite=0 \
    --innodb-file-per-table=0 --innodb-buffer-pool-size=256M --innodb-log-file-size=64M
  wait_for 60 MariaDB mysql_ -e 'select 1'
}
start_rabbit() {
  running rabbitmq && return 0
  mkdir -p "$DC_STATE/rabbit"
  cat >"$ETC/rabbitmq.conf" <<C
listeners.tcp.1 = 127.0.0.1:5672
log.file.level = warning
total_memory_available_override_value = 2GB
C
  (
    export HOME=$DC_STATE/rabbit RABBITMQ_NODENAME=devcloud@localhost RABBITMQ_MNESIA_BASE=$DC_STATE/rabbit
    export RABBITMQ_LOG_BASE=$LOG RABBITMQ_CONFIG_FILE=$ETC/rabbitmq RABBITMQ_ENABLED_PLUGINS_FILE=$ETC/rabbit_plugins
    export RABBITMQ_PID_FILE=$RUN/rabbit_own.pid ERL_EPMD_ADDRESS=127.0.0.1 ERL_EPMD_PORT=14369 RABBITMQ_DIST_PORT=25672
    export RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS="+sbwt none +sbwtdcpu none +sbwtdio none -kernel inet_dist_use_interface {127,0,0,1}"
    spawn epmd epmd -address 127.0.0.1 -port 14369
    spawn rabbitmq /usr/lib/rabbitmq/bin/rabbitmq-server
  )
  wait_for 90 RabbitMQ bash -c 'exec 3<>/dev/tcp/127.0.0.1/5672'
}
start_memcached() { spawn memcached memcached -u nobody -l 127.0.0.1 -p 11211 -m 64; }

sync_keystone() {
  keystone-manage --config-file "$ETC/keystone/keystone.conf" db_sync
  keystone-manage --config-file "$ETC/keystone/keystone.conf" bootstrap --bootstrap-password admin \
    --bootstrap-admin-url http://127.0.0.1:5000/v3 --bootstrap-internal-url http://127.0.0.1:5000/v3 \
    --bootstrap-public-url http://127.0.0.1:5000/v3 --bootstrap-region-id RegionOne
}
sync_placement() { placement-manage --config-file "$ETC/placement/placement.conf" db sync; }
sync_glance() { glance-manage --config-file "$ETC/glance/glance-api.conf" db_sync; }
sync_neutron() { neutron-db-manage --config-file "$ETC/neutron/neutron.conf" upgrade heads; }
sync_cinder() { cinder-manage --config-file "$ETC/cinder/cinder.conf" db sync; }
sync_nova() {
  "$DC_VENV/bin/python" "$HERE/lib/nova_schema.py"
}
timed() { # NAME CMD...: its output in log/sync-NAME.log, its duration on the screen
  local n=$1 t
  t=$(date +%s.%N); shift
  "$@" >"$LOG/sync-$n.log" 2>&1 || { echo "sync of $n failed:"; tail -20 "$LOG/sync-$n.log"; return 1; }
  printf '    %-10s %5.1f s\n' "$n" "$(echo "$(date +%s.%N) - $t" | bc)"
}
chain_keystone() { # schema, service, users and endpoints, while the other schemas are made
  { [ -e "$DC_STATE/.synced" ] || timed keystone sync_keystone; } &&
    uw keystone 5000 keystone.wsgi.api &&
    "$DC_VENV/bin/python" "$HERE/lib/provision.py" identity ||
    { touch "$RUN/identity.failed"; return 1; }
}
identity_decided() { [ -e "$RUN/identity.ready" ] || [ -e "$RUN/identity.failed" ]; }
chain() { # NAME: schema, and its services once keystone knows them
  [ -e "$DC_STATE/.synced" ] || timed "$1" sync_"$1"
  wait_for 300 "the service users" identity_decided
  [ -e "$RUN/identity.ready" ] || return 1
  start_"$1"
}
bring_up() {
  rm -f "$RUN/identity.ready" "$RUN/identity.failed"
  export OS_KEYSTONE_CONFIG_DIR=$ETC/keystone OS_PLACEMENT_CONFIG_DIR=$ETC/placement OS_GLANCE_CONFIG_DIR=$ETC/glance
  export OS_NOVA_CONFIG_DIR=$ETC/nova OS_NEUTRON_CONFIG_DIR=$ETC/neutron OS_NEUTRON_CONFIG_FILES='neutron.conf'
  local pids=() p rc=0 s
  chain_keystone & pids+=($!)
  for s in neutron nova cinder glance placement; do chain $s & pids+=($!); done
  for p in "${pids[@]}"; do wait "$p" || rc=1; done
  return $rc
}
start_placement() { uw placement 8778 placement.wsgi.api; }
start_glance() { uw glance-api 9292 glance.wsgi.api; }
start_neutron() {
  uw neutron-api 9696 neutron.wsgi.api
  spawn neutron-rpc-server neutron-rpc-server --config-file "$ETC/neutron/neutron.conf"
}
start_cinder() {
  uw cinder-api 8776 cinder.wsgi.api "--config-file $ETC/cinder/cinder.conf"
  local s; for s in scheduler volume backup; do spawn cinder-$s cinder-$s --config-file "$ETC/cinder/cinder.conf"; done
}
start_nova() {
  uw nova-api 8774 nova.wsgi.osapi_compute
  spawn nova-conductor nova-conductor --config-file "$ETC/nova/nova.conf"
  spawn nova-scheduler nova-scheduler --config-file "$ETC/nova/nova.conf"
}
start_ovs() { # userspace datapath (netdev): this kernel has no openvswitch module
  local o=$DC_STATE/ovs
  mkdir -p "$o" /var/run/openvswitch
  # as after a reboot: a user-space switch loses its ports with its process, and the agents plug them anew
  running ovs-vswitchd || rm -f "$o/conf.db"
  [ -e "$o/conf.db" ] || ovsdb-tool create "$o/conf.db" /usr/share/openvswitch/vswitch.ovsschema
  spawn ovsdb-server ovsdb-server "$o/conf.db" --remote=punix:/var/run/openvswitch/db.sock \
    --remote=ptcp:6640:127.0.0.1 --private-key=db:Open_vSwitch,SSL,private_key -vconsole:warn
  wait_for 20 ovsdb-server test -S /var/run/openvswitch/db.sock
  ovs-vsctl --no-wait init
  ovs-vsctl --no-wait set Open_vSwitch . external_ids:system-id=devcloud external_ids:hostname=devcloud
  spawn ovs-vswitchd ovs-vswitchd unix:/var/run/openvswitch/db.sock -vconsole:warn
  local br
  for br in br-int br-tun br-ex; do
    ovs-vsctl --timeout=20 --may-exist add-br $br -- set bridge $br datapath_type=netdev
  done
  ip addr replace 172.24.4.1/24 dev br-ex
  ip link set br-ex up
}
start_libvirt() { # qemu without cgroups, name spaces and security labels: there is no systemd
  [ "$DC_VIRT" = libvirt ] || return 0
  # Debian builds the bindings for its own Python 3.11, which is why the services run on that
  local l
  for l in libvirt.py libvirt_qemu.py libvirtmod.cpython-311-x86_64-linux-gnu.so libvirtmod_qemu.cpython-311-x86_64-linux-gnu.so; do
    ln -sf /usr/lib/python3/dist-packages/$l "$DC_VENV"/lib/python3.11/site-packages/$l
  done
  # the package libvirt-daemon-system would make these; libvirtd looks them up at its start
  getent group libvirt-qemu >/dev/null || groupadd -r libvirt-qemu
  getent group kvm >/dev/null || groupadd -r kvm
  getent passwd libvirt-qemu >/dev/null || useradd -r -g kvm -d /var/lib/libvirt -s /usr/sbin/nologin libvirt-qemu
  mkdir -p /etc/libvirt
  cat >/etc/libvirt/qemu.conf <<C
security_driver = "none"
user = "root"
group = "root"
dynamic_ownership = 0
remember_owner = 0
cgroup_controllers = [ ]
namespaces = [ ]
stdio_handler = "file"
C
  cat >"$ETC/libvirtd.conf" <<C
listen_tls = 0
listen_tcp = 0
auth_unix_rw = "none"
C
  spawn virtlogd virtlogd
  spawn libvirtd libvirtd -f "$ETC/libvirtd.conf"
  wait_for 20 libvirtd virsh -c qemu:///system version
}
start_agents() {
  spawn neutron-ovs-agent neutron-openvswitch-agent --config-file "$ETC/neutron/neutron.conf" --config-file "$ETC/neutron/agents.conf"
  spawn neutron-dhcp-agent neutron-dhcp-agent --config-file "$ETC/neutron/neutron.conf" --config-file "$ETC/neutron/agents.conf"
  spawn neutron-l3-agent neutron-l3-agent --config-file "$ETC/neutron/neutron.conf" --config-file "$ETC/neutron/agents.conf"
  spawn neutron-metadata-agent neutron-metadata-agent --config-file "$ETC/neutron/neutron.conf" --config-file "$ETC/neutron/agents.conf"
  uw nova-metadata 8775 nova.wsgi.metadata
}
uw() { # NAME PORT MODULE [PYARGV]: an API under uWSGI
  local name=$1 port=$2 mod=$3 args=${4:-}
  spawn "$name" uwsgi --http-socket "127.0.0.1:$port" --module "$mod:application" --master --die-on-term \
    --processes "${DC_WORKERS:-1}" --threads "${DC_THREADS:-8}" --enable-threads --lazy-apps --thunder-lock \
    --buffer-size 65535 --chunked-input-limit 1073741824 --chunked-input-timeout 300 --disable-logging --add-header 'Connection: close' \
    --worker-reload-mercy 3 --pyargv="$args"
}
start_compute() { spawn nova-compute nova-compute --config-file "$ETC/nova/nova-cpu.conf"; }

# Starts a node as the first process of new namespaces. Of the machine it changes the folder $1 and
# the control groups named $3 alone.
#
# $1: the folder, with the program `node`; $2: the life, `bound` if the node ends with the process
# that started this; $3: the name of its control groups
set -eu
[ "$2" = bound ] && begin="setpriv --pdeathsig KILL" || begin=
# The kubelet takes control groups that exist: in the one tree of version 2, or in each of
# version 1.
trees=/sys/fs/cgroup
[ -e "$trees/cgroup.controllers" ] || trees=$(echo /sys/fs/cgroup/*)
for tree in $trees; do
  [ -e "$tree/cgroup.procs" ] || continue
  mkdir -p "$tree/$3"
  # A child takes over no processors by itself.
  [ ! -e "$tree/$3/cpuset.cpus" ] || {
    cat "$tree/cpuset.cpus" >"$tree/$3/cpuset.cpus"
    cat "$tree/cpuset.mems" >"$tree/$3/cpuset.mems"
  } 2>/dev/null || true
done
# One of version 2, whose controllers the children get only if the parent says so.
if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
  for tree in /sys/fs/cgroup "/sys/fs/cgroup/$3"; do
    for controller in $(cat "$tree/cgroup.controllers"); do
      echo "+$controller" >"$tree/cgroup.subtree_control" || true
    done
  done
fi
exec $begin unshare --net --mount --pid --fork --kill-child=KILL --mount-proc \
  --propagation private sh -euc '
mount -t tmpfs run /run
mkdir /run/node /run/lock /run/settings
mount --bind "$1" /run/node
mount -t tmpfs log /var/log
# The kubelet sets these for the whole machine: it gets a file in the place of each.
for name in vm/overcommit_memory vm/panic_on_oom kernel/panic kernel/panic_on_oops \
  kernel/keys/root_maxkeys kernel/keys/root_maxbytes; do
  [ -e "/proc/sys/$name" ] || continue
  copy=/run/settings/$(echo "$name" | tr / -)
  cat "/proc/sys/$name" >"$copy"
  mount --bind "$copy" "/proc/sys/$name"
done
ip link set lo up
ip link add node0 type bridge
ip address add 10.99.0.1/24 dev node0
ip link set node0 up
ip route add default dev node0
echo 1 >/proc/sys/net/ipv4/ip_forward
cd /run/node
mkdir -p log pki
begin() {
  name=$1
  shift
  "$@" >"log/$name" 2>&1 &
  echo $! >"log/$name.pid"
}
begin containerd containerd --config /run/node/containerd.toml
begin etcd ./node etcd --data-dir=/run/node/etcd --unsafe-no-fsync \
  --listen-client-urls=http://127.0.0.1:2379 --advertise-client-urls=http://127.0.0.1:2379 \
  --listen-peer-urls=http://127.0.0.1:2380
openssl genrsa -out pki/accounts.key 2048 2>/dev/null
begin kube-apiserver ./node kube-apiserver --etcd-servers=http://127.0.0.1:2379 \
  --advertise-address=10.99.0.1 --cert-dir=/run/node/pki --authorization-mode=RBAC \
  --token-auth-file=/run/node/tokens.csv --service-cluster-ip-range=10.96.0.0/16 \
  --service-account-issuer=https://kubernetes.default.svc \
  --service-account-key-file=/run/node/pki/accounts.key \
  --service-account-signing-key-file=/run/node/pki/accounts.key \
  --kubelet-preferred-address-types=InternalIP
until ./node kubectl --kubeconfig=access.yaml get --raw=/readyz >/dev/null 2>&1; do sleep 0.2; done
begin kube-controller-manager ./node kube-controller-manager --kubeconfig=/run/node/access.yaml \
  --leader-elect=false --service-account-private-key-file=/run/node/pki/accounts.key \
  --root-ca-file=/run/node/pki/apiserver.crt
begin kube-scheduler ./node kube-scheduler --kubeconfig=/run/node/access.yaml --leader-elect=false
begin kubelet ./node kubelet --config=/run/node/kubelet.yaml --kubeconfig=/run/node/access.yaml \
  --hostname-override=node0 --node-ip=10.99.0.1 --root-dir=/run/node/kubelet \
  --cert-dir=/run/node/pki
begin kube-proxy ./node kube-proxy --config=/run/node/proxy.yaml
# The first process takes the exit codes of all whose parents have ended.
while :; do
  wait
  sleep 1
done
' sh "$1"

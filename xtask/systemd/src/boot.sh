# Boots a systemd as the first process of new namespaces. Nothing is written outside of a tmpfs.
#
# $1: the cgroup for it, which exists; $2: an empty folder; $3: the root that is below the overlay;
# $4: the folder with the programs, which becomes /opt/trials
echo $$ >"$1/cgroup.procs"
# All of it ends with the process that started this.
exec setpriv --pdeathsig KILL unshare --cgroup --mount --pid --ipc --uts --net --fork \
  --kill-child=KILL --propagation private sh -euc '
mount -t tmpfs trials "$1"
mkdir "$1/upper" "$1/work" "$1/root"
R=$1/root
mount -t overlay overlay -o "lowerdir=$2,upperdir=$1/upper,workdir=$1/work" "$R"
mount -t proc proc "$R/proc"
mount -t sysfs -o ro sysfs "$R/sys"
mount -t cgroup2 cgroup2 "$R/sys/fs/cgroup"
for folder in run tmp dev; do mount -t tmpfs "$folder" "$R/$folder"; done
chmod 755 "$R/run" "$R/dev"
chmod 1777 "$R/tmp"
for device in null zero full random urandom tty; do
  touch "$R/dev/$device"
  mount --bind "/dev/$device" "$R/dev/$device"
done
mkdir "$R/dev/pts" "$R/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666 devpts "$R/dev/pts"
ln -s pts/ptmx "$R/dev/ptmx"
ln -s /proc/self/fd "$R/dev/fd"
mkdir -p "$R/opt/trials"
mount --bind "$3" "$R/opt/trials"
# None of the units of the machine starts.
rm -rf "$R/etc/systemd/system"
mkdir "$R/etc/systemd/system"
cat >"$R/etc/systemd/system/trials.target" <<END
[Unit]
Requires=dbus.socket systemd-journald.service
After=dbus.socket systemd-journald.service
END
mkdir "$R/run/old"
cd "$R"
pivot_root . run/old
umount -l /run/old
# By which systemd passes the mounts of credentials on to a service, as a machine has it.
mount --make-rshared /
exec env -i container=other PATH="$PATH" /lib/systemd/systemd --system --unit=trials.target \
  --log-target=null --show-status=0
' sh "$2" "$3" "$4"

#!/bin/sh
# Process 1 of the virtual machine: mounts, modules, loopback; unpacks the archive on the second disk into /opt/tswarm, runs the tests that are in
# it and powers off. The line "vm: N passed, N failed" is the result; a machine that ends without it has failed.
export PATH=/opt/tswarm:/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/bin
mount -t proc proc /proc
mount -o remount,rw /
mount -t sysfs -o nosuid,nodev,noexec sysfs /sys
mount -t cgroup2 -o nsdelegate,memory_recursiveprot cgroup2 /sys/fs/cgroup
mount -t devtmpfs dev /dev 2>/dev/null
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs tmpfs /dev/shm
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /tmp
# As systemd does.
mount --make-rshared /
ip link set lo up
hostname vm
[ -e /etc/passwd ] || echo 'root:x:0:0:root:/root:/bin/sh' >/etc/passwd
[ -e /etc/group ] || echo 'root:x:0:' >/etc/group
for module in overlay nf_tables veth wireguard; do
	modprobe "$module" || echo "vm: no module $module"
done

mkdir -p /opt/tswarm
tar -C /opt/tswarm -xf /dev/vdb || echo "vm: the archive cannot be unpacked"
cd /opt/tswarm || poweroff -f
passed=0 failed=0
for script in /opt/tswarm/tests/*.test.sh; do
	name=$(basename "$script" .test.sh)
	echo "# $name"
	sh "$script" 2>&1 | tee /run/tap
	ok=$(grep -c '^ok ' /run/tap)
	bad=$(grep -c '^not ok ' /run/tap)
	if ! grep -q "^1\.\.$((ok + bad))\$" /run/tap || [ $((ok + bad)) = 0 ]; then
		bad=$((bad + 1))
		echo "not ok - $name ended early"
	fi
	passed=$((passed + ok)) failed=$((failed + bad))
	rm -f /run/tap
done
echo "vm: $passed passed, $failed failed"
sync
poweroff -f

# Docker Swarm's routing mesh, which needs IPVS: three dockerds of Debian 12, each a manager with a network, a mount namespace and a containerd of its own, and
# a client outside; a service of three replicas published through the mesh under open-loop load, through updates, scalings, a drain and a killed leader. What
# is checked is that all of it was done; requests lost are figures, a line for each change. Only when it is asked for: npm run vm -- swarm-mesh.
. /opt/tswarm/tests/lib.sh
. /opt/tswarm/tests/mesh-load.sh
disk swarm-mesh rw
DOCKER=/opt/swarm-mesh
SHARED=$DOCKER/root/shared
for module in ip_vs ip_vs_rr xt_ipvs br_netfilter bridge vxlan nft_compat nft_chain_nat xt_nat xt_mark xt_addrtype xt_conntrack xt_MASQUERADE xt_comment; do
	modprobe $module || echo "# no module $module"
done
check 'IPVS is there' test -e /proc/net/ip_vs
is 'and its scheduler' "$(lsmod | grep -c '^ip_vs_rr ')" 1
hosts_up
# Namespaces begin with the machine's own setting, and a mesh's own does not ask for it.
sysctl -qw net.ipv4.ip_forward=1
mkdir -p $SHARED
mount -t tmpfs tmpfs $SHARED

# In namespaces of its own, because dockerds share names below /run.
cat >/run/dockerd.sh <<'END2'
name=$1
hostname $name
root=/opt/swarm-mesh/root
mount --make-rprivate /
mount --rbind $root $root
for folder in proc dev; do mkdir -p $root/$folder && mount --rbind /$folder $root/$folder; done
mkdir -p $root/sys $root/run $root/tmp $root/var/$name $root/old
mount -t sysfs sysfs $root/sys
mount --rbind /sys/fs/cgroup $root/sys/fs/cgroup
mount -t tmpfs tmpfs $root/run
mount -t tmpfs tmpfs $root/tmp
cd $root
pivot_root . old
umount -l /old
export PATH=/usr/sbin:/usr/bin:/sbin:/bin DOCKER_SERVICE_PREFER_OFFLINE_IMAGE=1
exec /usr/sbin/dockerd --data-root /var/$name --exec-root /run/docker --pidfile /shared/$name.pid --host unix:///shared/$name.sock \
	--storage-driver overlay2 >/shared/$name.log 2>&1
END2
docker() {
	host=$1
	shift
	chroot $DOCKER/root /usr/bin/docker -H unix:///shared/$host.sock "$@"
}
answers() {
	for _ in $(seq 300); do
		docker $1 info >/run/info 2>&1 && return 0
		sleep 1
	done
	tail -n 20 $SHARED/$1.log
	return 1
}
for host in $HOSTS; do
	(exec nsenter --net=/run/netns/$host -- unshare -mu sh /run/dockerd.sh $host) &
done
for host in $HOSTS; do
	check "dockerd of $host answers" answers $host
	check 'the image' sh -c "chroot $DOCKER/root docker -H unix:///shared/$host.sock import -c 'ENTRYPOINT [\"/server\"]' - graceful:bench <$DOCKER/image.tar"
done
check 'a swarm' docker h1 swarm init --advertise-addr 192.0.2.1
token=$(docker h1 swarm join-token -q manager)
for number in 2 3; do
	check "h$number joins" docker h$number swarm join --token $token --advertise-addr 192.0.2.$number 192.0.2.1:2377
done

# What mesh-load.sh asks a side for.
side_create() {
	docker h2 service create -q -d --name web --replicas 3 --no-resolve-image --update-monitor 100ms -p 28091:8080 graceful:bench v0 100
}
side_update() { docker h2 service update -q -d --update-order $1 --args "$2 100" web; }
side_scale() { docker h2 service scale -d web=$1; }
side_availability() { docker h2 node update --availability $2 $1; }
side_socket() { echo $SHARED/$1.sock; }
side_kill() { kill -9 "$(cat $SHARED/$1.pid)"; }
# Why it does not answer: what h2 has, and what its mesh knows.
side_explain() {
	pid=$(cat $SHARED/h2.pid)
	{
		docker h2 service ps web
		for space in /proc/$pid/root/run/docker/netns/*; do
			echo "== $space"
			nsenter --net=$space cat /proc/net/ip_vs
			nsenter --net=$space nft list ruleset
			nsenter --net=$space ip -br addr
		done
		grep -v 'level=info\|operating system' $SHARED/h2.log | tail -n 20
	} 2>&1 | sed 's/^/# /' >/dev/console
	echo 'the service does not answer'
}
LOAD=$DOCKER/load
measure 'Docker Swarm'
for host in $HOSTS; do [ -e $SHARED/$host.pid ] && kill -9 "$(cat $SHARED/$host.pid)"; done 2>/dev/null
finish

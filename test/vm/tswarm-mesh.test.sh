# The same as swarm-mesh.test.sh for three nodes of ours, with the kernel's WireGuard between them. JavaScript is tens of times slower here, the way of the packets
# is not: requests lost are comparable, times of changes are not. Only when it is asked for: npm run vm -- tswarm-mesh.
. /opt/tswarm/tests/lib.sh
. /opt/tswarm/tests/mesh-load.sh
disk tswarm-mesh rw
HOME_OF=/opt/tswarm-mesh
LOAD=$HOME_OF/load
modprobe -a tun vxlan bridge nft_fib_inet sctp af_packet 2>/dev/null
hosts_up
cat >/run/tswarmd.sh <<'END2'
hostname $1
mount --make-rprivate /
mount -t sysfs sysfs /sys
mount -t cgroup2 cgroup2 /sys/fs/cgroup
exec /opt/tswarm-mesh/node /opt/tswarm-mesh/dist/daemon/main.js --data-root /opt/tswarm-mesh/$1 --run-root /run/$1 \
	--native-dir /opt/tswarm-mesh/native/build >/run/$1.log 2>&1
END2
tswarm() {
	host=$1
	shift
	on $host env TSWARM_HOST=unix:///run/$host/cluster.sock $HOME_OF/node $HOME_OF/dist/cli/tswarm/main.js "$@"
}
side_socket() { echo /run/$1/docker.sock; }
answers() {
	for _ in $(seq 300); do
		[ -S /run/$1/docker.sock ] && [ "$(api_of $1 GET /_ping)" = OK ] && return 0
		sleep 1
	done
	tail -n 20 /run/$1.log
	return 1
}
for host in $HOSTS; do
	mkdir -p /run/$host $HOME_OF/$host
	(exec nsenter --net=/run/netns/$host -- unshare -mu sh /run/tswarmd.sh $host) &
	echo $! >/run/$host.pid
	check "tswarmd of $host answers" answers $host
	api_of $host POST '/v1.43/images/create?fromSrc=-&repo=graceful&tag=bench&changes=ENTRYPOINT%20%5B%22/server%22%5D' $HOME_OF/image.tar application/x-tar >/run/body
	is 'the image' "$(cat /run/status)" 200
done
check 'a cluster' tswarm h1 init --advertise-addr 192.0.2.1
token=$(tswarm h1 join-token -q manager)
# in_cluster HOST: it may take longer than a person is kept waiting
in_cluster() {
	tswarm $1 join --token $token 192.0.2.1:2377
	for _ in $(seq 120); do
		[ "$(api_of $1 GET /v1.43/info | jq -r .Swarm.LocalNodeState)" = active ] && return 0
		sleep 2
	done
	return 1
}
for host in h2 h3; do check "$host joins" in_cluster $host; done

side_create() {
	tswarm h2 service create -q -d --name web --replicas 3 --no-resolve-image --update-monitor 100ms --drain-timeout 2s -p 28091:8080 graceful:bench v0 100
}
side_update() { tswarm h2 service update -q -d --update-order $1 --args "$2 100" web; }
side_scale() { tswarm h2 service scale -d web=$1; }
side_availability() { tswarm h2 node update --availability $2 $1; }
side_kill() {
	daemon=$(cat /run/$1.pid)
	kill -9 $daemon $(pgrep -P $daemon -f manager)
}
side_explain() {
	{
		tswarm h2 service ps web
		tswarm h2 node ls
		tail -n 30 /run/h2.log
	} 2>&1 | sed 's/^/# /' >/dev/console
	echo 'the service does not answer'
}
measure tswarm
kill $(cat /run/h?.pid) 2>/dev/null
finish

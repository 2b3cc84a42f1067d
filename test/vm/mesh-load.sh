# Sourced by the tests that load a service on three hosts: the hosts h1, h2, h3 and a client on one Ethernet, and `measure`, which asks the side for its commands:
# side_create, side_update ORDER VERSION, side_scale N, side_availability HOST WHICH, side_socket HOST, side_kill HOST, side_explain. RATE requests a second (20),
# half of them on new connections, on h2's port; at most CHANGES (16) updates and scalings in turns, none begun when the machine is older than UNTIL_S, a drain
# after the third, a killed leader after the seventh.
HOSTS='h1 h2 h3'
RATE=20
CHANGES=16
UNTIL_S=4000
# The processors are emulated: an answer may take its time.
LIMIT_MS=5000
PORT=28091
[ -e /opt/tswarm/load-settings ] && . /opt/tswarm/load-settings

on() {
	where=$1
	shift
	nsenter --net="/run/netns/$where" -- "$@"
}

hosts_up() {
	ip link add br0 type bridge
	ip link set br0 up
	number=0
	for host in $HOSTS client; do
		number=$((number + 1))
		ip netns add $host
		ip link add $host-out type veth peer name out0 netns $host
		ip link set $host-out master br0 up
		ip -n $host addr add 192.0.2.$number/24 dev out0
		ip -n $host link set lo up
		ip -n $host link set out0 up
		ip -n $host route add default via 192.0.2.254
	done
	# New connections all the time, to one address.
	on client sysctl -qw net.ipv4.tcp_tw_reuse=1 net.ipv4.ip_local_port_range='10240 65535'
}

# api_of HOST METHOD PATH [BODYFILE [TYPE]]: as api of lib.sh. Command lines would take the processors that the requests need.
api_of() {
	SOCKET=$(side_socket $1)
	shift
	api "$@"
}

leader() {
	api_of h2 GET /v1.41/nodes | jq -r '.[]|select(.ManagerStatus.Leader)|.Description.Hostname'
}

# settled N: at most ten minutes
settled() {
	for _ in $(seq 200); do
		api_of h2 GET '/v1.41/services?status=true' >/run/services
		[ "$(jq -c '.[0]|[.ServiceStatus.RunningTasks, .ServiceStatus.DesiredTasks, .UpdateStatus.State=="updating"]' /run/services)" = "[$1,$1,false]" ] && return 0
		sleep 3
	done
	echo "does not settle at $1"
	return 1
}

# The service answers twenty times in a row.
serves() {
	row=0
	end=$(($(cut -d. -f1 /proc/uptime) + 180))
	while [ $(cut -d. -f1 /proc/uptime) -lt $end ]; do
		if printf 'GET / HTTP/1.0\r\n\r\n' | on client socat -t 2 -T 2 - TCP:192.0.2.2:$PORT,connect-timeout=2 2>/dev/null | grep -q ^v0; then row=$((row + 1)); else row=0; fi
		[ $row = 20 ] && return 0
		[ $row = 0 ] && usleep 200000
	done
	side_explain
	return 1
}

# change WHAT N COMMAND...: done, settled at N replicas; how many requests were lost meanwhile
change() {
	what=$1 replicas=$2
	shift 2
	before=$(wc -l </run/lost)
	began=$(cut -d. -f1 /proc/uptime)
	"$@" >/run/change.out 2>&1 || {
		echo "# $what: $(head -c 300 /run/change.out)"
		return 1
	}
	# Until it has begun.
	sleep 5
	settled $replicas || return 1
	echo "# $what: $(($(cut -d. -f1 /proc/uptime) - began)) s, lost $(($(wc -l </run/lost) - before))" >/dev/console
}

# measure NAME
measure() {
	check 'a service on three hosts' side_create
	check 'all its tasks run' settled 3
	check "it answers" serves
	[ $row = 20 ] || return
	(exec nsenter --net=/run/netns/client -- $LOAD 192.0.2.2 $PORT $RATE $LIMIT_MS /run/lost >/run/sums) &
	load=$!
	sleep 10
	echo "# lost without a change: $(wc -l </run/lost)"
	for number in $(seq $CHANGES); do
		[ $(cut -d. -f1 /proc/uptime) -lt $UNTIL_S ] || break
		case $((number % 4)) in
		0) check "update $number, stop-first" change "$number stop-first" 3 side_update stop-first v$number ;;
		1) check "update $number, start-first" change "$number start-first" 3 side_update start-first v$number ;;
		2) check "scaled up, $number" change "$number to 6" 6 side_scale 6 ;;
		3) check "scaled down, $number" change "$number to 3" 3 side_scale 3 ;;
		esac
		case $number in
		3) check 'h3 is drained' change 'drain' 3 side_availability h3 drain ;;
		5) check 'h3 is back' change 'active' 3 side_availability h3 active ;;
		7)
			first=$(leader)
			check "the leader $first is killed" change "leader $first killed" 3 side_kill $first
			;;
		esac
	done
	kill $load
	wait $load
	echo "# $1, $RATE requests a second: $(cat /run/sums)"
	echo "# reasons: $(awk '{$1=""; $3=""; print}' /run/lost | sort | uniq -c | awk '{printf "%s;", $0}')"
}

# The mesh between hosts on kernel 6.1: the kernel's WireGuard on both, then wireguard-go on one of them; containers, published ports with the client's own
# address, key and peers as the worker tells them. Two hosts and a client as network namespaces on one bridge.
. /opt/tswarm/tests/lib.sh
M=/opt/tswarm/mesh
modprobe -a tun vxlan bridge nft_fib_inet sctp af_packet 2>/dev/null

on() {
	host=$1
	shift
	# Not by ip netns exec, which hides mounts that are made.
	nsenter --net="/run/netns/$host" -- "$@"
}
# ask HOST NAME: the request of that name; its answer
ask() {
	on "$1" tswarm-net <"$M/$1.$2"
}
ok() {
	is "$1: $3" "$(ask "$2" "$3" | jq -c .ok)" true
}

ip link add br0 type bridge
ip link set br0 up
for host in a b c; do
	ip netns add $host
	ip link add $host-out type veth peer name out0 netns $host
	ip link set $host-out master br0 up
	on $host ip link set lo up
	on $host sysctl -qw net.ipv4.ip_forward=1
done
on a ip addr add 192.0.2.1/24 dev out0
on b ip addr add 192.0.2.2/24 dev out0
on c ip addr add 192.0.2.3/24 dev out0
for host in a b c; do
	on $host ip link set out0 up
	on $host ip route add default via 192.0.2.254 2>/dev/null
done
for host in a b; do
	for name in kernel wireguard up door routing attach; do ok "host $host" $host $name; done
	check "rules of $host" on $host nft -f $M/$host.nft
done
ina="nsenter --net=/run/ns-a"
inb="nsenter --net=/run/ns-b"
$inb socat -T 5 TCP-LISTEN:80,fork,reuseaddr 'SYSTEM:echo $SOCAT_PEERADDR' &
server=$!
# SCTP knows no connection that is closed on one side.
$inb socat -U -T 5 SCTP-LISTEN:81,fork,reuseaddr 'SYSTEM:echo $SOCAT_PEERADDR' &
sctp=$!

# Everything on the Ethernet while a container says something to one of the other host, and a client to another in clear.
captured() {
	tcpdump -i br0 -Z root -w /run/wire -U 2>/run/tcpdump.err &
	tcpdump=$!
	for i in $(seq 100); do grep -q listening /run/tcpdump.err && break; usleep 100000; done
	for i in 1 2 3; do echo not-to-be-read-on-the-wire | $ina socat -T 2 - UDP:10.81.1.12:9; done
	echo to-be-read-on-the-wire | on c socat -T 2 - UDP:192.0.2.2:9
	sleep 1
	kill $tcpdump
	wait $tcpdump
}

# A busy machine takes longer to answer than the half second that socat waits after its input has ended.
works() {
	check "$1: container to container" $ina ping -c 1 -W 20 10.81.1.12
	is "$1: with its own address" "$($ina socat -t 9 -T 9 - TCP:10.81.1.12:80 </dev/null)" 10.81.1.11
	is "$1: a published port where the task is not; the task sees the client" \
		"$(on c socat -t 9 -T 9 - TCP:192.0.2.1:8090 </dev/null)" 192.0.2.3
	is "$1: a published port where the task is" \
		"$(on c socat -t 9 -T 9 - TCP:192.0.2.2:8090 </dev/null)" 192.0.2.3
	is "$1: from the host itself" "$(on a socat -t 9 -T 9 - TCP:127.0.0.1:8090 </dev/null)" 192.0.2.1
	check "$1: from node to node inside the tunnel" on a ping -6 -c 1 -W 20 "$(cat $M/b.address)"
	check "$1: full packets" $ina ping -c 1 -W 20 -s 1392 10.81.1.12
	is "$1: SCTP to a virtual address" "$($ina socat -u -T 9 SCTP:10.81.1.200:81 -)" 10.81.1.11
	is "$1: SCTP to a published port where the task is not" \
		"$(on c socat -u -T 9 SCTP:192.0.2.1:8091 -)" 192.0.2.3
	is "$1: SCTP to a published port where the task is" \
		"$(on c socat -u -T 9 SCTP:192.0.2.2:8091 -)" 192.0.2.3
	captured
	is "$1: what containers say cannot be read on the wire, what others say can" \
		"$(for text in not-to-be-read to-be-read; do grep -q $text-on-the-wire /run/wire && echo $text; done)" to-be-read
}

works 'kernel and kernel'
peer=$(ask a get | jq -c '.peers[0]')
is 'the peer is as told' "$(echo "$peer" | jq -c '[.endpoint,(.allowedIps|length),(.handshakeMs>0),(.receivedBytes>0)]')" \
	'["192.0.2.2:51820",2,true,true]'
is 'telling it again changes nothing' "$(ask a wireguard | jq -c .ok) $(ask a get | jq -c '.peers|length')" 'true 1'
is 'a wrong key is refused' \
	"$(echo '{"id":1,"op":"wireguard-set","link":"wvma0","peers":[{"publicKey":"AAAA"}]}' | on a tswarm-net | jq -r .error.code)" invalid

# As it is done with a peer that has not answered: nobody sends anything, and yet they shake hands before WireGuard's own 5 s.
echo "$peer" | jq -c '{id:1,op:"wireguard-set",link:"wvma0",peers:[{publicKey,remove:true},
	{publicKey,endpoint,keepaliveSeconds:25,replaceAllowedIps:true,addAllowedIps:.allowedIps}]}' | on a tswarm-net >/run/answer
is 'made anew' "$(jq -c .ok /run/answer)" true
shaken() {
	for i in $(seq 40); do
		[ "$(ask a get | jq '.peers[0].handshakeMs>0')" = true ] && return 0
		usleep 100000
	done
	return 1
}
check 'a peer that is made anew shakes hands by itself' shaken

# Many addresses take several messages; a removed peer takes them along.
key=$(on a tswarm-net <$M/a.get | jq -r .publicKey)
many=$(seq 0 1499 | awk '{printf "%s\"10.99.%d.%d/32\"", (NR>1?",":""), $1/250, $1%250}')
other=$(echo "$key" | sed 's/^./B/')
echo "{\"id\":1,\"op\":\"wireguard-set\",\"link\":\"wvma0\",\"peers\":[{\"publicKey\":\"$other\",\"replaceAllowedIps\":true,\"addAllowedIps\":[$many]}]}" |
	on a tswarm-net >/run/answer
is '1500 addresses of one peer' "$(jq -c .ok /run/answer) $(ask a get | jq "[.peers[]|select(.publicKey==\"$other\")|.allowedIps|length]|add")" 'true 1500'
echo "{\"id\":1,\"op\":\"wireguard-set\",\"link\":\"wvma0\",\"peers\":[{\"publicKey\":\"$other\",\"remove\":true}]}" | on a tswarm-net >/run/answer
is 'and removed' "$(jq -c .ok /run/answer) $(ask a get | jq -c '.peers|length')" 'true 1'

[ -e /opt/tswarm/figures ] && . /opt/tswarm/tests/mesh-figures.sh

if [ -x /opt/tswarm/wireguard-go ]; then
	on b ip link del "$(cat $M/b.tunnel)"
	mkdir -p /var/run/wireguard
	(exec nsenter --net=/run/netns/b -- /opt/tswarm/wireguard-go -f "$(cat $M/b.tunnel)" >/run/go.log 2>&1) &
	go=$!
	socket=/var/run/wireguard/$(cat $M/b.tunnel).sock
	check 'wireguard-go listens' sh -c "for i in \$(seq 100); do [ -S $socket ] && exit 0; usleep 100000; done; exit 1"
	is 'takes the same settings' "$(socat -T 2 - UNIX-CONNECT:$socket <$M/b.uapi | head -n 1)" 'errno=0'
	for name in up door routing; do ok 'host b again' b $name; done
	works 'kernel and wireguard-go'
	kill $go
fi
kill $server $sctp
for host in a b c; do ip netns del $host; done
ip link del br0
finish

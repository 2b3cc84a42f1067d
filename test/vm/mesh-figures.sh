# Sourced by mesh.test.sh where figures are wanted (npm run vm -- mesh figures): one TCP stream between containers of two hosts over our mesh, beside the
# same hosts with a WireGuard of their own and nothing else, and beside containers routed through that without a single rule. In turns, three rounds. The
# processors are emulated: only ratios within one run say something.
wg_bare() { # HOST OWN-KEY PEER-KEY PEER-ADDRESS ADDRESS PEER-INSIDE
	ip -n $1 link add bare0 mtu 1420 type wireguard
	echo "{\"id\":1,\"op\":\"wireguard-set\",\"link\":\"bare0\",\"privateKey\":\"$2\",\"listenPort\":51999,\"peers\":[{\"publicKey\":\"$3\",\"endpoint\":\"$4:51999\",\"replaceAllowedIps\":true,\"addAllowedIps\":[$6]}]}" |
		on $1 tswarm-net | jq -c .ok
	ip -n $1 addr add $5/24 dev bare0
	ip -n $1 link set bare0 up
}
key_of() { jq -r .privateKey <$M/$1.wireguard; }
public_of() { on $1 tswarm-net <$M/$1.get | jq -r .publicKey; }
wg_bare a "$(key_of a)" "$(public_of b)" 192.0.2.2 10.99.0.1 '"10.99.0.2/32","10.98.2.0/24"'
wg_bare b "$(key_of b)" "$(public_of a)" 192.0.2.1 10.99.0.2 '"10.99.0.1/32","10.98.1.0/24"'
for end in a b; do
	number=1 other=2
	[ $end = b ] && number=2 other=1
	ip netns add plain-$end
	ip link add pl-$end type veth peer name eth0 netns plain-$end
	ip link set pl-$end netns $end
	ip -n $end addr add 10.98.$number.1/24 dev pl-$end
	ip -n $end link set pl-$end up
	ip -n $end route add 10.98.$other.0/24 dev bare0
	ip -n plain-$end link set lo up
	ip -n plain-$end link set eth0 mtu 1420 up
	ip -n plain-$end addr add 10.98.$number.2/24 dev eth0
	ip -n plain-$end route add default via 10.98.$number.1
done
speed() {
	"$@" -t 4 -O 1 -J 2>/dev/null | jq -r '.end.sum_received.bits_per_second/1e6|round'
}
(on b iperf3 -s -B 10.99.0.2 -p 5301 >/dev/null 2>&1 & on plain-b iperf3 -s -p 5302 >/dev/null 2>&1 & $inb iperf3 -s -p 5303 >/dev/null 2>&1 &)
sleep 2
for round in 1 2 3; do
	echo "# round $round, Mbit/s: bare WireGuard $(speed on a iperf3 -c 10.99.0.2 -p 5301), containers routed through it $(speed on plain-a iperf3 -c 10.98.2.2 -p 5302), ours $(speed $ina iperf3 -c 10.81.1.12 -p 5303)"
done
killall iperf3
for end in a b; do
	ip -n $end link del bare0
	ip -n $end link del pl-$end
	ip netns del plain-$end
done

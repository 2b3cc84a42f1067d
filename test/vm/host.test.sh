# The worker's hands on kernel 6.1: layers and overlays (without lowerdir+), networks with nftables rules, the names' server.
. /opt/tswarm/tests/lib.sh
W=/var/vm-host
mkdir -p $W

# call PROGRAM REQUEST: one request to a program that reads lines; its answer
call() {
	program=$1
	shift
	printf '%s\n' "$*" | $program
}

mkdir -p $W/upper $W/work $W/target
layers=
for n in $(seq 120); do
	mkdir -p "$W/layers/a-rather-long-name-of-a-layer-as-digests-are-0123456789abcdef-$n"
	echo "$n" >"$W/layers/a-rather-long-name-of-a-layer-as-digests-are-0123456789abcdef-$n/file$n"
	layers="\"$W/layers/a-rather-long-name-of-a-layer-as-digests-are-0123456789abcdef-$n\",$layers"
done
overlay="\"upper\":\"$W/upper\",\"work\":\"$W/work\",\"target\":\"$W/target\""
is 'an overlay of 120 layers' "$(call 'tswarm-mount serve' "{\"id\":1,\"op\":\"overlay\",\"lower\":[${layers%,}],$overlay}")" '{"id":1,"ok":true}'
is 'shows all of them' "$(ls $W/target | wc -l)" 120
echo new >$W/target/file1
is 'and takes changes' "$(cat $W/upper/file1)" new
is 'umount' "$(call 'tswarm-mount serve' "{\"id\":1,\"op\":\"umount\",\"target\":\"$W/target\"}")" '{"id":1,"ok":true}'
rm -rf $W/upper $W/work
mkdir -p "$W/a,b:c" $W/two $W/upper $W/work
echo 1 >"$W/a,b:c/strange"
is 'a layer with comma and colon in its name' \
	"$(call 'tswarm-mount serve' "{\"id\":1,\"op\":\"overlay\",\"lower\":[\"$W/a,b:c\",\"$W/two\"],$overlay,\"volatile\":true}")" '{"id":1,"ok":true}'
check 'shows its file' [ -e $W/target/strange ]
umount $W/target
is 'a read-only overlay' "$(call 'tswarm-mount serve' "{\"id\":1,\"op\":\"overlay\",\"lower\":[\"$W/a,b:c\",\"$W/two\"],\"target\":\"$W/target\"}")" '{"id":1,"ok":true}'
check 'cannot be written' sh -c "! touch $W/target/x"
umount $W/target
is 'a tmpfs' "$(call 'tswarm-mount serve' "{\"id\":2,\"op\":\"tmpfs\",\"target\":\"$W/target\",\"size\":1048576,\"mode\":448}")" '{"id":2,"ok":true}'
umount $W/target
check 'sync' tswarm-mount sync $W

mkdir -p $W/src/folder $W/image
echo text >$W/src/folder/file
ln $W/src/folder/file $W/src/folder/link
check 'a layer is unpacked' sh -c "tar -C $W/src -cf - . | tswarm-layer apply --root $W/image --overlay-whiteouts"
is 'with its files' "$(cat $W/image/folder/link)" text
is 'and links' "$(stat -c %h $W/image/folder/file)" 2
echo more >$W/image/folder/other
check 'diff gives a layer' sh -c "tswarm-layer diff --upper $W/image | tar -tf - | grep -q folder/other"
is 'stat' "$(tswarm-layer stat --root $W/image --path /folder/file | jq -r .size)" 5

itf() {
	printf '{"host":"vmt%s","name":"eth0","mac":"02:42:0a:51:01:0%s","hostMac":"02:42:0a:51:ff:0%s","mtu":1500,"v4":{"address":"10.81.1.1%s","gateway":"10.81.1.1","subnet":"10.81.1.0/24","defaultRoute":true},"v6":{"address":"fd00:81:1::1%s","gateway":"fd00:81:1::1","subnet":"fd00:81:1::/64","defaultRoute":true}}' "$1" "$1" "$1" "$2" "$2"
}
attach() {
	printf '{"id":1,"op":"attach","netns":"/run/ns%s","dns":"169.254.1.1","interfaces":[%s],"sysctls":{"net.ipv4.ip_unprivileged_port_start":"0"}}' "$1" "$(itf "$1" "$2")"
}
is 'forwarding' "$(call tswarm-net '{"id":1,"op":"sysctl","values":{"net.ipv4.ip_forward":"1","net.ipv6.conf.all.forwarding":"1"}}')" '{"id":1,"ok":true}'
jq -Rs -c '{id:2,op:"nft",script:.}' $HERE/rules.nft >/run/nft.json
is 'the rules of a node' "$(tswarm-net </run/nft.json)" '{"id":2,"ok":true}'
check 'the kernel has them' nft list table inet vmtest
is 'a namespace' "$(call tswarm-net "$(attach 1 0)")" '{"id":1,"ok":true}'
is 'a second one' "$(call tswarm-net "$(attach 2 1)")" '{"id":1,"ok":true}'
in1="nsenter --net=/run/ns1"
in2="nsenter --net=/run/ns2"
$in2 socat TCP-LISTEN:80,fork,reuseaddr 'SYSTEM:echo two' &
server=$!
$in1 socat TCP-LISTEN:80,fork,reuseaddr 'SYSTEM:echo one' &
server1=$!
sleep 1
tcp() {
	timeout 10 socat -T 5 - "TCP:$1" </dev/null
}
is 'from one to the other' "$($in1 socat -T 5 - TCP:10.81.1.11:80 </dev/null)" two
is 'its own address is seen' "$($in1 ip -4 -o addr show dev eth0 | awk '{print $4}')" 10.81.1.10/32
check 'IPv6' $in1 ping -6 -c 1 -W 5 fd00:81:1::11
is 'by a virtual address' "$($in1 socat -T 5 - TCP:10.81.1.100:80 </dev/null)" two
ip link add out0 type veth peer name out1
ip netns add outside
ip link set out1 netns outside
ip addr add 192.0.2.1/24 dev out0
ip link set out0 up
ip netns exec outside sh -c 'ip link set lo up; ip addr add 192.0.2.2/24 dev out1; ip link set out1 up'
is 'a published port from outside' "$(ip netns exec outside socat -T 5 - TCP:192.0.2.1:8080 </dev/null)" one
is 'a published port from the host' "$(tcp 127.0.0.1:8080)" one
is "a service's port" "$(ip netns exec outside socat -T 5 - TCP:192.0.2.1:8090 </dev/null)" two
check 'a container reaches the outside, masqueraded' $in1 ping -c 1 -W 5 192.0.2.2
$in2 ip addr add 10.81.1.77/32 dev eth0
ip route add 10.81.1.77/32 dev vmt2
check 'a wrong sender is dropped' sh -c "! $in2 ping -I 10.81.1.77 -c 1 -W 1 10.81.1.10"
nft add element inet vmtest bound4 '{ "vmt2" . 10.81.1.77 }'
check 'and only because it is wrong' $in2 ping -I 10.81.1.77 -c 1 -W 5 10.81.1.10
bundle net '.linux.namespaces|=map(if .type=="network" then .path="/run/ns1" else . end)' 'ip -4 -o addr show dev eth0'
is 'a container runs in the namespace' "$(output net | awk '{print $4}')" 10.81.1.10/32
down net
rmdir $CG/vm

cat >/run/names.json <<'JSON'
{"listen":[{"address":"169.254.1.1","port":53}],"upstreams":[],"ttl":5,"clients":{"10.81.1.10":["N"]},
"networks":{"N":{"internal":false,"names":{"web":{"a":["10.81.1.100"],"aaaa":[]}},"ptr":{},"srv":{}}}}
JSON
ip addr add 169.254.1.1/32 dev lo
tswarm-names --config /run/names.json --pid-file /run/names.pid --user 65534 &
names=$!
check 'the names server listens' sh -c 'for i in $(seq 100); do [ -s /run/names.pid ] && exit 0; usleep 50000; done; exit 1'
check 'a container asks by 127.0.0.11' sh -c "$in1 nslookup -type=a web 127.0.0.11 | grep -q 10.81.1.100"
check 'an unknown one is refused' sh -c "$in2 nslookup -type=a web 127.0.0.11 | grep -q -i refused"
kill $names $server $server1
wait 2>/dev/null

is 'counters' "$(call tswarm-net '{"id":3,"op":"counters","links":["vmt1"]}' | jq -c '[.ok,(.counters[0].rx_bytes>0)]')" '[true,true]'
is 'conntrack is cleared' "$(call tswarm-net '{"id":3,"op":"conntrack","gone":["10.81.1.11"],"udp":[]}' | jq -c '[.ok,(.flows>0)]')" '[true,true]'
is 'detach' "$(call tswarm-net '{"id":4,"op":"detach","netns":"/run/ns1","links":["vmt1"]}')" '{"id":4,"ok":true}'
is 'detach' "$(call tswarm-net '{"id":4,"op":"detach","netns":"/run/ns2","links":["vmt2"]}')" '{"id":4,"ok":true}'
check 'the interfaces go' sh -c 'for i in $(seq 100); do ip link show vmt1 || ip link show vmt2 || exit 0; usleep 50000; done; exit 1'
check 'WireGuard is there' ip link add wgt type wireguard
ip link del wgt
ip link del out0
ip netns del outside
nft delete table inet vmtest
rm -rf $W
finish

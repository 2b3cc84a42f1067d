# tswarmd itself, once: an image, a container with limits by the Engine API, what the kernel has of them, and nothing left behind.
# JavaScript is slow in an emulated machine, so this one only runs when it is asked for: npm run vm -- daemon.
. /opt/tswarm/tests/lib.sh
mkdir -p /var/tswarm
disk daemon ro
SOCKET=/run/tswarm/docker.sock

mkdir -p /run/tswarm
/opt/daemon/node /opt/daemon/dist/daemon/main.js --data-root /var/tswarm --run-root /run/tswarm \
	--native-dir /opt/daemon/native/build >/run/tswarmd.log 2>&1 &
daemon=$!
check 'tswarmd listens' sh -c "for i in \$(seq 180); do [ -S $SOCKET ] && exit 0; kill -0 $daemon || break; sleep 1; done; cat /run/tswarmd.log; exit 1"
rootfs
tar -C $BUNDLES/rootfs -cf /run/image.tar .
api POST '/v1.43/images/create?fromSrc=-&repo=box&tag=latest' /run/image.tar application/x-tar >/run/body
is 'an image' "$(cat /run/status)" 200
cat >/run/create.json <<'JSON'
{"Image":"box:latest","Cmd":["/bin/sh","-c","exec sleep 1000"],"HostConfig":{"Memory":67108864,"MemorySwap":67108864,"NanoCpus":500000000,"PidsLimit":50,"NetworkMode":"none"}}
JSON
api POST '/v1.43/containers/create?name=one' /run/create.json >/run/body
is 'a container is created' "$(cat /run/status)" 201
api POST /v1.43/containers/one/start >/run/body
is 'and started' "$(cat /run/status)" 204
group=$(find $CG -mindepth 2 -maxdepth 2 -type d -path '*/tswarm-*')
echo "# $group"
is 'memory.max' "$(cat "$group/memory.max")" 67108864
is 'memory.swap.max' "$(cat "$group/memory.swap.max")" 0
is 'cpu.max' "$(cat "$group/cpu.max")" '50000 100000'
is 'pids.max' "$(cat "$group/pids.max")" 50
api DELETE '/v1.43/containers/one?force=true' >/run/body
is 'and removed' "$(cat /run/status)" 204
check 'its group is gone' [ ! -e "$group" ]
kill $daemon
check 'tswarmd ends' sh -c "for i in \$(seq 60); do kill -0 $daemon 2>/dev/null || exit 0; sleep 1; done; exit 1"
grep -qi error /run/tswarmd.log && sed 's/^/# /' /run/tswarmd.log | tail -n 20
finish

# Shared by the tests in the virtual machine: TAP lines, bundles, the runtime and the shim. Sourced by each test; `finish` writes the plan.
# Every container's control group is /vm/<id>, like a node's /tswarm-<tag>/<id>.
HERE=/opt/tswarm
CG=/sys/fs/cgroup
ROOT=/run/rt
BUNDLES=/var/vm
count=0

# check TEXT COMMAND...: the command must succeed.
check() {
	text=$1
	shift
	count=$((count + 1))
	if "$@" >/tmp/check.out 2>&1; then
		echo "ok $count - $text"
	else
		echo "not ok $count - $text"
		echo "#   $*" | head -c 400
		echo
		sed 's/^/#   /' /tmp/check.out | head -n 12
	fi
}

# is TEXT HAVE WANT: two texts must be equal.
is() {
	count=$((count + 1))
	if [ "$2" = "$3" ]; then
		echo "ok $count - $1"
	else
		echo "not ok $count - $1"
		echo "#   have: $2"
		echo "#   want: $3"
	fi
}

finish() {
	echo "1..$count"
}

# disk NAME OPTIONS: mounts the disk that scripts/vm/disks.mjs has made under this name at /opt/NAME.
disk() {
	mkdir -p "/opt/$1"
	for serial in /sys/block/vd*/serial; do
		[ "$(cat "$serial")" = "$1" ] || continue
		mount -t ext4 -o "$2" "/dev/$(basename "$(dirname "$serial")")" "/opt/$1" && return
	done
	echo "# there is no disk $1"
	return 1
}

# api METHOD PATH [BODYFILE [TYPE]]: the answer's body from the daemon at $SOCKET; its status in /run/status
api() {
	length=0
	: >/run/answer
	[ -n "$3" ] && length=$(stat -c %s "$3")
	{
		printf '%s %s HTTP/1.0\r\nHost: x\r\nConnection: close\r\nContent-Type: %s\r\nContent-Length: %s\r\n\r\n' \
			"$1" "$2" "${4:-application/json}" "$length"
		[ -n "$3" ] && cat "$3"
		# The server takes a half-closed connection for one that is gone.
		for _ in $(seq 600); do [ -s /run/answer ] && break; usleep 200000; done
	} | socat -t 5 - UNIX-CONNECT:$SOCKET >/run/answer
	awk 'NR==1{print $2; exit}' /run/answer >/run/status
	sed '1,/^\r*$/d' /run/answer
}

rt() {
	tswarm-runtime --root $ROOT "$@"
}

# file_is PATH TEXT, for files that change in a moment: at most 5 s.
file_is() {
	for _ in $(seq 100); do
		[ "$(cat "$1" 2>/dev/null)" = "$2" ] && return 0
		usleep 50000
	done
	echo "$1: $(cat "$1" 2>&1)"
	return 1
}

# status_is ID STATUS: at most 10 s.
status_is() {
	for _ in $(seq 100); do
		[ "$(rt state "$1" | jq -r .status)" = "$2" ] && return 0
		usleep 100000
	done
	rt state "$1"
	return 1
}

rootfs() {
	[ -d $BUNDLES/rootfs/bin ] && return
	for folder in bin dev etc proc sys tmp root; do mkdir -p $BUNDLES/rootfs/$folder; done
	cp /bin/busybox $BUNDLES/rootfs/bin/
	for applet in $(busybox --list); do [ "$applet" = busybox ] || ln -s busybox "$BUNDLES/rootfs/bin/$applet"; done
	echo 'root:x:0:0:root:/root:/bin/sh' >$BUNDLES/rootfs/etc/passwd
}

# bundle ID FILTER SHELLTEXT: a Docker-like configuration, changed by the jq filter, that runs the shell text. `FILTER` may be `.`.
bundle() {
	rootfs
	mkdir -p "$BUNDLES/$1"
	jq --arg id "$1" --arg sh "$3" \
		".root.path=\"$BUNDLES/rootfs\" | .linux.cgroupsPath=\"/vm/\"+\$id
		| .process.args=[\"/bin/sh\",\"-c\",\$sh] | $2" $HERE/config.json >"$BUNDLES/$1/config.json"
}

# create and start, output to $BUNDLES/ID/out
up() {
	rt create --bundle "$BUNDLES/$1" --pid-file "$BUNDLES/$1/pid" "$1" \
		</dev/null >"$BUNDLES/$1/out" 2>"$BUNDLES/$1/err" || {
		cat "$BUNDLES/$1/err"
		return 1
	}
	rt start "$1"
}

down() {
	rt delete --force "$1" && rm -r "${BUNDLES:?}/$1"
}

# what a container printed that runs to its end
output() {
	up "$1" && status_is "$1" stopped >&2 && cat "$BUNDLES/$1/out" "$BUNDLES/$1/err"
}

# The shim on cgroup v2: a container's run through its socket, and a kill for lack of memory told apart from any other.
. /opt/tswarm/tests/lib.sh

# shim ID [OPTION...]: starts a shim whose state is in /run/shim/ID
shim() {
	id=$1
	shift
	mkdir -p /run/shim
	tswarm-shim --id "$id" --bundle "$BUNDLES/$id" --state "/run/shim/$id" --runtime $HERE/tswarm-runtime \
		--runtime-root $ROOT --log-file "/run/shim/$id.log" "$@"
}

# ask ID JSON: one request; the answers' payloads, frame headers as blanks. Lengths of our requests are below 256.
ask() {
	{
		printf 'Q\000\000\000'
		printf "\\$(printf %03o ${#2})\\000\\000\\000"
		printf %s "$2"
		sleep "${3:-1}"
	} | socat -t 20 - "UNIX-CONNECT:/run/shim/$1/shim.sock" | tr -c '[:print:]\n' ' '
}

ended() {
	for _ in $(seq 200); do
		[ -s "/run/shim/$1/exit.json" ] && return 0
		usleep 100000
	done
	return 1
}

exit_of() {
	jq -c '[.exitCode,.signal,.oomKilled]' "/run/shim/$1/exit.json"
}

bundle plain . 'echo out; echo err >&2; exit 3'
check 'the shim creates' shim plain
case $(ask plain '{"op":"start"}') in *'"ok":true'*) true ;; *) false ;; esac
is 'start is answered' $? 0
check 'it ends' ended plain
is 'exit code' "$(exit_of plain)" '[3,0,false]'
is 'the log' "$(jq -r '.stream+" "+.log' /run/shim/plain.log | grep . | sort | tr '\n' '|')" 'stderr err|stdout out|'
ask plain '{"op":"delete"}' >/dev/null
check 'delete takes the group away' [ ! -e $CG/vm/plain ]

small='.linux.resources.memory={limit:16777216,swap:16777216}'
bundle oom "$small" 'head -c 100000000 /dev/zero | tail -c 90000000 >/dev/null; exec tail -c 90000000 /dev/zero'
check 'a container with 16 MiB' shim oom
ask oom '{"op":"start"}' >/dev/null
check 'it ends' ended oom
is 'killed for lack of memory' "$(exit_of oom)" '[137,9,true]'
ask oom '{"op":"delete"}' >/dev/null

bundle child "$small" 'tail -c 90000000 /dev/zero; echo survived $?; exit 5'
shim child
ask child '{"op":"start"}' >/dev/null
check 'one whose child is killed ends by itself' ended child
is 'and says that memory was short' "$(exit_of child)" '[5,0,true]'
ask child '{"op":"delete"}' >/dev/null

bundle below "$small | (.mounts[]|select(.type==\"cgroup\")|.options)|=map(select(.!=\"ro\"))" \
	'mkdir /sys/fs/cgroup/in; echo 0 >/sys/fs/cgroup/in/cgroup.procs; exec tail -c 90000000 /dev/zero'
shim below
ask below '{"op":"start"}' >/dev/null
check 'a process in a group of its own below ends' ended below
is 'its lack of memory is seen' "$(exit_of below)" '[137,9,true]'
ask below '{"op":"delete"}' >/dev/null

bundle kill "$small" 'exec sleep 1000'
shim kill
ask kill '{"op":"start"}' >/dev/null
ask kill '{"op":"exec","process":{"args":["cat","/proc/self/cgroup"],"cwd":"/","env":["PATH=/bin"],"user":{"uid":0,"gid":0}}}' >/run/exec.out
check 'exec through the shim is in the group' grep -q '0::/$' /run/exec.out
ask kill '{"op":"kill","signal":9}' >/dev/null
check 'kill ends it' ended kill
is 'a plain kill is no lack of memory' "$(exit_of kill)" '[137,9,false]'
ask kill '{"op":"delete"}' >/dev/null

bundle init '.mounts+=[{destination:"/init",type:"bind",source:"/opt/tswarm/tswarm-init",options:["bind","ro"]}]
	| .process.args=["/init","--","/bin/sh","-c","trap \"exit 9\" TERM; (sleep 0.2 &) ; while :; do sleep 0.1; done"]' ''
shim init
ask init '{"op":"start"}' >/dev/null
sleep 1
ask init '{"op":"kill","signal":15}' >/dev/null
check 'tswarm-init passes a signal on' ended init
is 'and ends with its child' "$(exit_of init)" '[9,0,false]'
ask init '{"op":"delete"}' >/dev/null

sleep 1
is 'no shim is left' "$(pidof tswarm-shim)" ''
is 'no group is left' "$(find $CG/vm -mindepth 1 -type d)" ''
rmdir $CG/vm
finish

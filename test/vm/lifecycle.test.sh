# A container's life on cgroup v2: parents that are new, states, signals, pausing, exec, what it sees of its group, nothing left behind.
. /opt/tswarm/tests/lib.sh

is 'the machine has cgroup v2 alone' "$(stat -f -c %t $CG)" 63677270
for controller in $(cat $CG/cgroup.subtree_control); do echo "-$controller" >$CG/cgroup.subtree_control; done
is 'no controller is handed down before the first container' "$(cat $CG/cgroup.subtree_control)" ''

bundle life . 'sleep 1000 & exec sleep 1000'
check 'create' rt create --bundle $BUNDLES/life --pid-file $BUNDLES/life/pid life
check 'is created' status_is life created
pid=$(cat $BUNDLES/life/pid)
is 'its process is in the group' "$(cat /proc/$pid/cgroup)" '0::/vm/life'
for controller in cpu cpuset memory pids io; do
	check "the root hands $controller down" grep -qw $controller $CG/cgroup.subtree_control
	check "the new parent hands $controller down" grep -qw $controller $CG/vm/cgroup.subtree_control
done
is 'the container hands nothing down' "$(cat $CG/vm/life/cgroup.subtree_control)" ''
check 'start' rt start life
check 'is running' status_is life running
check 'a second process is in the group' sh -c \
	"for i in \$(seq 100); do [ \$(wc -l <$CG/vm/life/cgroup.procs) = 2 ] && exit 0; usleep 50000; done; exit 1"

check 'pause' rt pause life
is 'says paused' "$(rt state life | jq -r .status)" paused
check 'the kernel says frozen' grep -q 'frozen 1' $CG/vm/life/cgroup.events
check 'resume' rt resume life
check 'the kernel says thawed' grep -q 'frozen 0' $CG/vm/life/cgroup.events
is 'says running' "$(rt state life | jq -r .status)" running

is 'exec joins the group' "$(rt exec life cat /proc/self/cgroup)" '0::/'
is 'exec gives its exit code' "$(rt exec life sh -c 'exit 7' >/dev/null; echo $?)" 7
rt exec --detach --pid-file /run/exec.pid life sleep 1000
is 'a detached exec is in the group' "$(cat "/proc/$(cat /run/exec.pid)/cgroup")" '0::/vm/life'
is 'ps knows all' "$(rt ps --format json life | jq length)" 3

check 'kill' rt kill life KILL
check 'is stopped' status_is life stopped
check 'all of it ended' file_is $CG/vm/life/cgroup.procs ''
check 'delete' rt delete life
check 'the group is gone' [ ! -e $CG/vm/life ]
is 'the state is gone' "$(ls $ROOT)" ''

bundle hard . 'trap "" TERM; for i in 1 2 3 4 5; do sleep 1000 & done; wait'
up hard
check 'delete refuses a running container' sh -c "! tswarm-runtime --root $ROOT delete hard"
check 'pause before the kill' rt pause hard
check 'kill --all of a paused container (cgroup.kill)' rt kill --all hard KILL
check 'it has ended although it was frozen' status_is hard stopped
check 'delete' down hard
bundle hard . 'trap "" TERM; sleep 1000 & sleep 1000'
up hard
check 'delete --force of a running container' down hard
check 'its group is gone' [ ! -e $CG/vm/hard ]

# A container that shares the host's processes has no process 1 that takes the others along: only cgroup.kill ends them.
bundle shared '.linux.namespaces|=map(select(.type!="pid"))' 'sleep 1001 & sleep 1002 & exec sleep 1003'
up shared
check 'kill of a container without a process namespace' rt kill --all shared KILL
check 'ends all its processes' file_is $CG/vm/shared/cgroup.procs ''
check 'delete' down shared

bundle sees . 'cat /proc/self/cgroup; grep cgroup /proc/self/mountinfo | cut -d" " -f4-6;
ls /sys/fs/cgroup/cgroup.procs; mkdir /sys/fs/cgroup/x 2>&1; cat /sys/fs/cgroup/memory.max'
rt create --bundle $BUNDLES/sees sees >$BUNDLES/sees/out 2>&1 </dev/null
rt start sees
status_is sees stopped
is 'a container sees its own group as root, read-only' "$(tr '\n' '|' <$BUNDLES/sees/out)" \
	"0::/|/ /sys/fs/cgroup ro,nosuid,nodev,noexec,relatime|/sys/fs/cgroup/cgroup.procs|\
mkdir: can't create directory '/sys/fs/cgroup/x': Read-only file system|268435456|"
down sees
bundle host '.linux.namespaces|=map(select(.type!="cgroup"))' 'cat /proc/self/cgroup /sys/fs/cgroup/memory.max; rmdir /sys/fs/cgroup/x 2>&1'
is 'without a cgroup namespace its folder is bound there' "$(output host | tr '\n' '|')" \
	"0::/vm/host|268435456|rmdir: '/sys/fs/cgroup/x': Read-only file system|"
down host
bundle nested '(.mounts[]|select(.type=="cgroup")|.options)|=map(select(.!="ro"))' \
	'mkdir -p /sys/fs/cgroup/a/b; echo 0 >/sys/fs/cgroup/a/b/cgroup.procs; echo +pids >/sys/fs/cgroup/cgroup.subtree_control; exec sleep 1000'
up nested
check 'and hands controllers down, as systemd in it would' file_is $CG/vm/nested/cgroup.subtree_control pids
check 'its process is below' grep -q . $CG/vm/nested/a/b/cgroup.procs
is 'exec into a group that may hold no processes itself' "$(rt exec nested echo in)" in
check 'pause covers the groups below' rt pause nested
check 'delete --force takes them along' down nested
check 'nothing of it is left' [ ! -e $CG/vm/nested ]

mkdir -p $CG/vm/used
sleep 1000 &
other=$!
echo $other >$CG/vm/used/cgroup.procs
bundle used . 'true'
check 'a group with other processes is refused' sh -c "! tswarm-runtime --root $ROOT create --bundle $BUNDLES/used used"
check 'and they are left alone' kill -0 $other
kill $other
wait $other 2>/dev/null
file_is $CG/vm/used/cgroup.procs ''
rmdir $CG/vm/used

bundle bad '.process.args=["/none"]' ''
check 'a missing program fails at create' sh -c \
	"tswarm-runtime --root $ROOT --log /run/log --log-format json create --bundle $BUNDLES/bad bad; [ \$? = 1 ]"
check 'and leaves no group' [ ! -e $CG/vm/bad ]
bundle bad '.linux.resources.memory.limit=1|.linux.resources.memory.swap=1|.linux.resources.cpu.cpus="99"' ''
check 'a limit that the kernel refuses fails at create' sh -c "! tswarm-runtime --root $ROOT create --bundle $BUNDLES/bad bad"
check 'and leaves no group' [ ! -e $CG/vm/bad ]
is 'no container is left' "$(ls $ROOT)" ''
is 'no group is left below the parent' "$(find $CG/vm -mindepth 1 -type d)" ''
check 'the parent can be removed' rmdir $CG/vm
finish

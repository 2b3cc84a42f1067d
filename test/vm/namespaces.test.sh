# Namespaces that are the host's or another container's, on this kernel: the root that is attached nowhere, user namespaces by path.
. /opt/tswarm/tests/lib.sh

bundle none 'del(.hostname)|.linux.sysctl={}|.linux.namespaces=[]|.mounts+=[{destination:"/data",type:"tmpfs",source:"tmpfs"}]' 'exec sleep 1000'
mounts=$(wc -l </proc/self/mountinfo)
check 'a container without any namespace' up none
pid=$(cat $BUNDLES/none/pid)
is 'is in the host’s mount namespace' "$(readlink /proc/$pid/ns/mnt)" "$(readlink /proc/self/ns/mnt)"
is 'and mounts nothing there' "$(wc -l </proc/self/mountinfo)" "$mounts"
is 'its root is its own, with its mounts' "$(rt exec none sh -c 'touch /data/x && ls /data; ls -d /opt/tswarm 2>/dev/null; ls -d /proc/1/stat')" "x
/proc/1/stat"
check 'delete' down none
is 'nothing is left mounted' "$(wc -l </proc/self/mountinfo)" "$mounts"

maps='.linux.uidMappings=[{containerID:0,hostID:100000,size:65536}]|.linux.gidMappings=.linux.uidMappings'
chown -R 100000:100000 $BUNDLES/rootfs
bundle first ".linux.sysctl={}|.linux.namespaces+=[{type:\"user\"}]|$maps" 'exec sleep 1000'
check 'a container with a user namespace' up first
pid=$(cat $BUNDLES/first/pid)
bundle second "del(.hostname)|.linux.sysctl={}|.linux.namespaces=[{type:\"mount\"},{type:\"pid\"},{type:\"cgroup\"},
{type:\"user\",path:\"/proc/$pid/ns/user\"},{type:\"network\",path:\"/proc/$pid/ns/net\"},
{type:\"uts\",path:\"/proc/$pid/ns/uts\"},{type:\"ipc\",path:\"/proc/$pid/ns/ipc\"}]" 'exec sleep 1000'
check 'a second one joins it by path' up second
is 'in the same user namespace' "$(readlink "/proc/$(cat $BUNDLES/second/pid)/ns/user")" "$(readlink /proc/$pid/ns/user)"
is 'as its root' "$(rt exec second sh -c 'id -u; tr -s " " </proc/self/uid_map')" "0
 0 100000 65536"
check 'delete the second' down second
check 'delete the first' down first
chown -R 0:0 $BUNDLES/rootfs
finish

# Limits in cgroup v2's terms, set at create and by update, and that the kernel holds to them; device rules; the default seccomp policy.
. /opt/tswarm/tests/lib.sh

value() {
	cat "$CG/vm/$1/$2" 2>&1
}

device=$(cat /sys/block/vda/dev)
bundle lim ".linux.resources.memory={limit:67108864,swap:100663296,reservation:33554432}
	| .linux.resources.cpu={shares:512,quota:50000,period:100000,cpus:\"1\",mems:\"0\"} | .linux.resources.pids.limit=20
	| .linux.resources.blockIO={throttleReadBpsDevice:[{major:${device%:*},minor:${device#*:},rate:1048576}],
		throttleWriteIOPSDevice:[{major:${device%:*},minor:${device#*:},rate:100}]}" 'sleep 1000'
check 'a container with every limit' up lim
is 'memory.max' "$(value lim memory.max)" 67108864
is 'memory.swap.max is the difference' "$(value lim memory.swap.max)" 33554432
is 'memory.low' "$(value lim memory.low)" 33554432
is 'cpu.max' "$(value lim cpu.max)" '50000 100000'
is 'cpu.weight of 512 shares' "$(value lim cpu.weight)" 59
is 'pids.max' "$(value lim pids.max)" 20
is 'cpuset.cpus' "$(value lim cpuset.cpus)" 1
is 'cpuset.cpus.effective' "$(value lim cpuset.cpus.effective)" 1
is 'cpuset.mems' "$(value lim cpuset.mems)" 0
is 'io.max' "$(value lim io.max)" "$device rbps=1048576 wbps=max riops=max wiops=100"
is 'the process may use that processor alone' \
	"$(rt exec lim grep Cpus_allowed_list /proc/self/status | tr -d '[:space:]')" Cpus_allowed_list:1

check 'update' rt update --memory 134217728 --memory-swap 134217728 --cpu-share 2048 --cpu-quota 20000 \
	--cpu-period 50000 --pids-limit 33 --cpuset-cpus 0-1 lim
is 'memory.max after update' "$(value lim memory.max)" 134217728
is 'memory.swap.max after update' "$(value lim memory.swap.max)" 0
is 'cpu.max after update' "$(value lim cpu.max)" '20000 50000'
is 'pids.max after update' "$(value lim pids.max)" 33
is 'cpuset.cpus after update' "$(value lim cpuset.cpus)" 0-1
check 'update to no limits' rt update --memory -1 --memory-swap -1 --cpu-quota -1 --pids-limit -1 lim
is 'memory.max without limit' "$(value lim memory.max)" max
is 'cpu.max without limit' "$(value lim cpu.max)" 'max 50000'
is 'pids.max without limit' "$(value lim pids.max)" max
check 'a wrong processor is refused' sh -c "! tswarm-runtime --root $ROOT update --cpuset-cpus 77 lim"
events=$(rt events --stats lim)
check 'events --stats counts memory' sh -c "[ $(echo "$events" | jq '.data.memory.usage.usage') -gt 0 ]"
is 'events --stats counts processes' "$(echo "$events" | jq '.data.pids.current')" 1
down lim

bundle forks '.linux.resources.pids.limit=5' \
	'for i in 1 2 3 4 5 6 7 8; do sleep 1000 & done; echo started'
check 'pids.max holds' sh -c ". $HERE/tests/lib.sh; output forks | grep -q \"can't fork\""
down forks

dma=$(cat /sys/class/misc/cpu_dma_latency/dev)
bundle dev '.process.capabilities.bounding+=["CAP_SYS_ADMIN"]
	| .linux.resources.devices+=[{allow:true,type:"c",major:10,minor:200,access:"r"}]' \
	'cat /dev/null && echo null; head -c 1 /dev/zero >/dev/null && echo zero; mknod /dev/dma c '"${dma%:*} ${dma#*:}"' && echo made;
	(exec 3</dev/dma) 2>&1; mknod /dev/disk b 254 0; head -c 1 /dev/disk 2>&1;
	mknod /dev/tun c 10 200; exec 3</dev/tun; echo tun $?; (exec 3>/dev/tun) 2>&1'
out=$(output dev | tr '\n' '|')
is 'device rules' "$out" "null|zero|made|/bin/sh: can't open /dev/dma: Operation not permitted|\
head: /dev/disk: Operation not permitted|tun 0|/bin/sh: can't create /dev/tun: Operation not permitted|"
down dev

bundle upd . "mknod /dev/k c ${dma%:*} ${dma#*:}; exec sleep 1000"
up upd
sleep 1
is 'a device before update' "$(rt exec upd sh -c '(exec 3</dev/k) 2>&1' | grep -c 'Operation not permitted')" 1
echo '{"devices":[{"allow":true,"type":"c","major":'"${dma%:*},\"minor\":${dma#*:}"',"access":"rwm"}]}' >/run/update.json
check 'update with new device rules' rt update --resources /run/update.json upd
is 'the device after update' "$(rt exec upd sh -c '(exec 3</dev/k) && echo open' 2>&1)" open
down upd

bundle all '.linux.resources.devices=[{allow:true,access:"rwm"}]' 'mknod /dev/d b 254 0; head -c 1 /dev/d | wc -c'
is 'a privileged container may use every device' "$(output all)" 1
down all

bundle sec '.process.capabilities|=map_values(.+["CAP_SYS_ADMIN"])' \
	'unshare -m true 2>&1; mount -t tmpfs x /tmp 2>&1; swapoff /tmp 2>&1; grep ^Seccomp: /proc/self/status | tr -d "\t"'
out=$(output sec | tr '\n' '|')
is 'the default policy denies with EPERM' "$out" "unshare: unshare(0x20000): Operation not permitted|\
mount: permission denied (are you root?)|swapoff: /tmp: Operation not permitted|Seccomp:2|"
down sec
bundle sec '.linux.seccomp={defaultAction:"SCMP_ACT_ALLOW",syscalls:[{names:["chmod","fchmodat"],action:"SCMP_ACT_ERRNO",errnoRet:1}]}' \
	'chmod 700 /tmp 2>&1; mkdir /tmp/m$$ && echo made'
is 'a policy of its own denies that call alone' "$(output sec | tr '\n' '|')" 'chmod: /tmp: Operation not permitted|made|'
down sec
is 'no group is left' "$(find $CG/vm -mindepth 1 -type d)" ''
rmdir $CG/vm
finish

// What a container may use and may do: the flags of memory, processors, disks, processes, capabilities, devices and namespaces.
import { device, integer, nanoCpus, ulimit } from '../service/values.ts';
import { type Flag, many, on, pairs, rates, size, text, whole } from './flag-setters.ts';

/** As the stock client writes them: CAP_NET_ADMIN. */
const capabilities =
  (key: string): Flag['set'] =>
  ({ host }, values) => {
    host[key] = values.map((value) => {
      const name = value.toUpperCase();
      return name === 'ALL' || name.startsWith('CAP_') ? name : `CAP_${name}`;
    });
  };

export const LIMITS: readonly Flag[] = [
  { flags: '-m, --memory <bytes>', help: 'memory', isUpdate: true, set: size('Memory') },
  {
    flags: '--memory-swap <bytes>',
    help: 'memory and swap; -1 = no limit',
    isUpdate: true,
    set: size('MemorySwap'),
  },
  {
    flags: '--memory-reservation <bytes>',
    help: 'what it is brought down to when memory is short',
    isUpdate: true,
    set: size('MemoryReservation'),
  },
  {
    flags: '--memory-swappiness <0..100>',
    help: 'how readily it is swapped out',
    set: whole('host', 'MemorySwappiness', -1),
  },
  {
    flags: '--cpus <number>',
    help: 'processors',
    isUpdate: true,
    set: ({ host }, [value = ''], flag) => {
      host.NanoCpus = nanoCpus(flag, value);
    },
  },
  {
    flags: '-c, --cpu-shares <weight>',
    help: 'beside others when processors are short',
    isUpdate: true,
    set: whole('host', 'CpuShares'),
  },
  {
    flags: '--cpu-period <microseconds>',
    help: 'of the scheduler',
    isUpdate: true,
    set: whole('host', 'CpuPeriod'),
  },
  {
    flags: '--cpu-quota <microseconds>',
    help: 'in each period',
    isUpdate: true,
    set: whole('host', 'CpuQuota', -1),
  },
  {
    flags: '--cpu-rt-period <microseconds>',
    help: 'real time, period',
    isUpdate: true,
    set: whole('host', 'CpuRealtimePeriod'),
  },
  {
    flags: '--cpu-rt-runtime <microseconds>',
    help: 'real time in each period',
    isUpdate: true,
    set: whole('host', 'CpuRealtimeRuntime'),
  },
  {
    flags: '--cpuset-cpus <list>',
    help: 'only these processors (0-2,4)',
    isUpdate: true,
    set: text('host', 'CpusetCpus'),
  },
  {
    flags: '--cpuset-mems <list>',
    help: 'only these memory nodes',
    isUpdate: true,
    set: text('host', 'CpusetMems'),
  },
  {
    flags: '--pids-limit <count>',
    help: 'processes; -1 = no limit',
    isUpdate: true,
    set: whole('host', 'PidsLimit', -1),
  },
  {
    flags: '--ulimit <name=soft:hard>',
    help: 'limit of a process',
    isMany: true,
    set: ({ host }, values) => {
      host.Ulimits = values.map((value) => ulimit('ulimit', value));
    },
  },
  { flags: '--shm-size <bytes>', help: 'of /dev/shm', set: size('ShmSize') },
  {
    flags: '--oom-kill-disable',
    help: 'not ended when memory is out',
    set: on('host', 'OomKillDisable'),
  },
  {
    flags: '--oom-score-adj <number>',
    help: 'whom the kernel ends first',
    set: whole('host', 'OomScoreAdj', -1000),
  },
  {
    flags: '--blkio-weight <10..1000>',
    help: 'beside others when the disk is busy',
    isUpdate: true,
    set: whole('host', 'BlkioWeight'),
  },
  {
    flags: '--blkio-weight-device <path:weight>',
    help: 'of one device',
    isMany: true,
    set: ({ host }, values, flag) => {
      host.BlkioWeightDevice = values.map((value) => {
        const [path = '', weight = ''] = value.split(':');
        return { Path: path, Weight: integer(flag, weight) };
      });
    },
  },
  {
    flags: '--device-read-bps <path:bytes>',
    help: 'bytes read a second',
    isMany: true,
    set: rates('BlkioDeviceReadBps'),
  },
  {
    flags: '--device-write-bps <path:bytes>',
    help: 'bytes written a second',
    isMany: true,
    set: rates('BlkioDeviceWriteBps'),
  },
  {
    flags: '--device-read-iops <path:count>',
    help: 'reads a second',
    isMany: true,
    set: rates('BlkioDeviceReadIOps'),
  },
  {
    flags: '--device-write-iops <path:count>',
    help: 'writes a second',
    isMany: true,
    set: rates('BlkioDeviceWriteIOps'),
  },
  {
    flags: '--storage-opt <key=value>',
    help: 'of its file system',
    isMany: true,
    set: pairs('host', 'StorageOpt'),
  },
];

export const RIGHTS: readonly Flag[] = [
  { flags: '--cap-add <capability>', help: 'one more', isMany: true, set: capabilities('CapAdd') },
  {
    flags: '--cap-drop <capability>',
    help: 'one less',
    isMany: true,
    set: capabilities('CapDrop'),
  },
  { flags: '--privileged', help: 'all capabilities and devices', set: on('host', 'Privileged') },
  {
    flags: '--security-opt <option>',
    help: 'seccomp, no-new-privileges …',
    isMany: true,
    set: many('host', 'SecurityOpt'),
  },
  {
    flags: '--sysctl <key=value>',
    help: 'setting of its kernel namespaces',
    isMany: true,
    set: pairs('host', 'Sysctls'),
  },
  {
    flags: '--device <path>',
    help: 'HOST[:INSIDE[:rwm]]',
    isMany: true,
    set: ({ host }, values) => {
      host.Devices = values.map(device);
    },
  },
  {
    flags: '--device-cgroup-rule <rule>',
    help: 'devices that may be made later',
    isMany: true,
    set: many('host', 'DeviceCgroupRules'),
  },
  {
    flags: '--cgroup-parent <group>',
    help: 'control group above it',
    set: text('host', 'CgroupParent'),
  },
  {
    flags: '--cgroupns <host|private>',
    help: 'control group namespace',
    set: text('host', 'CgroupnsMode'),
  },
  {
    flags: '--ipc <mode>',
    help: 'host, private, shareable or container:NAME',
    set: text('host', 'IpcMode'),
  },
  { flags: '--pid <mode>', help: 'host or container:NAME', set: text('host', 'PidMode') },
  { flags: '--userns <mode>', help: 'host', set: text('host', 'UsernsMode') },
  { flags: '--uts <mode>', help: 'host', set: text('host', 'UTSMode') },
  { flags: '--runtime <name>', help: 'another OCI runtime', set: text('host', 'Runtime') },
];

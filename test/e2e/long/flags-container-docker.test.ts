// Goal: tswarm container run, create and update make of a command line what docker's do. Method: the same words go to the stock client and to ours on one node,
// and what the node then knows of the two containers is the same, also of those that it refuses.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect } from 'vitest';
import { flagTest } from '../../support/flag-tests.ts';
import { type Result, TestNode } from '../../support/test-node.ts';
import { tswarmOn } from '../../support/tswarm-on.ts';

let node: TestNode;
const { out, refused } = tswarmOn(() => node);

beforeAll(async () => {
  node = new TestNode();
  await node.start();
  await node.importBusybox();
  writeFileSync(join(node.folder, 'vars'), '# some\nA=b\nC=d e\n');
  writeFileSync(join(node.folder, 'labels'), 'x=y\n');
  await out('container', 'run', '-d', '--name', 'other', 'busybox:test', 'sleep', '1000');
  await out('network', 'create', '--subnet', '10.81.0.0/24', '-d', 'bridge', 'side');
});

afterAll(async () => {
  await node[Symbol.asyncDispose]();
});

type Json = Record<string, unknown>;

/** What was asked for, without what is each container's own. */
async function asked(name: string): Promise<Json> {
  const { stdout } = await node.docker(['inspect', name]);
  const [found] = JSON.parse(stdout) as { Config: Json; HostConfig: Json; Mounts: Json[] }[];
  const { Config, HostConfig, Mounts } = found ?? { Config: {}, HostConfig: {}, Mounts: [] };
  if (Config.Hostname !== 'given') delete Config.Hostname;
  return compact({
    Config,
    HostConfig: { ...HostConfig, ContainerIDFile: '' },
    mounts: Mounts.map(({ Type, Destination, RW }) => ({ Type, Destination, RW })).sort((a, b) =>
      String(a.Destination) < String(b.Destination) ? -1 : 1,
    ),
  }) as Json;
}

/** Without what says nothing: the stock client writes zeros and empty lists where ours leaves a key out. */
function compact(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(compact);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value)
    .map(([key, inner]) => [key, compact(inner)] as const)
    .filter(([, inner]) => !isNothing(inner));
  return Object.fromEntries(entries);
}

function isNothing(value: unknown): boolean {
  if (typeof value === 'object' && value !== null) return Object.keys(value).length === 0;
  return [null, undefined, false, 0, '', -1].includes(value as null);
}

/** Of every container that can be made, and of those that can also be started here. */
const PROCESS =
  '-e A=1 -e HOME --env-file {folder}/vars --entrypoint /bin/sleep -u 65534:65534 -w /tmp --group-add 7 -h given --domainname example.org --init --stop-signal USR1 --stop-timeout 3 -l a=b --label-file {folder}/labels';
const HEALTH =
  '--health-cmd true --health-interval 5s --health-timeout 4s --health-start-period 3s --health-start-interval 2s --health-retries 6';
const LIMITS =
  '-m 64m --memory-swap 128m --memory-reservation 32m --cpus 0.5 -c 512 --cpuset-cpus 0 --cpuset-mems 0 --pids-limit 50 --ulimit nofile=100:200 --shm-size 8m --oom-score-adj 100';
const DISKS =
  '--memory-swappiness 10 --cpu-rt-period 1000000 --cpu-rt-runtime 1000 --blkio-weight 300 --blkio-weight-device /dev/null:200 --device-read-bps /dev/null:1mb --device-write-bps /dev/null:2mb --device-read-iops /dev/null:10 --device-write-iops /dev/null:20 --oom-kill-disable';
const RIGHTS =
  '--cap-add NET_ADMIN --cap-drop MKNOD --security-opt no-new-privileges --sysctl net.ipv4.ip_forward=1 --device /dev/null:/dev/nought:r --cgroupns private --ipc private --pid host';
const FILES =
  '-v {folder}:/mnt/folder:ro -v /anonymous -v named:/named --mount type=tmpfs,target=/mounted,tmpfs-size=1m --tmpfs /scratch:size=1m --read-only --log-driver json-file --log-opt max-size=1m';
const NETWORK =
  '--network side -p 127.0.0.1:28081:80 --expose 81 -P --network-alias al --ip 10.81.0.77 --add-host x:1.2.3.4 --dns 10.0.0.1 --dns-option ndots:2 --dns-search example.org --restart on-failure:3';

function words(text: string): string[] {
  return text.replaceAll('{folder}', node.folder).split(' ');
}

/** The same command line by both clients. @returns what the node knows of the two */
async function both(verb: string, flags: string): Promise<readonly [Json, Json]> {
  const known: Json[] = [];
  for (const side of ['theirs', 'ours']) {
    const args = ['container', verb, '--name', side, ...words(flags), 'busybox:test', '1000'];
    const env = { HOME: '/root' };
    const result: Result = await (side === 'ours'
      ? node.tswarm(args, { env })
      : node.docker(args, { env }));
    const said = await asked(side);
    expect(said.Config, `${args.join(' ')}: ${result.stderr}`).not.toEqual({});
    known.push(said);
    await node.docker(['rm', '-f', '-v', side]);
  }
  return known as unknown as readonly [Json, Json];
}

describe('one command line, two clients, the same container', () => {
  flagTest(
    'tswarm container create',
    [
      '--env',
      '--env-file',
      '--entrypoint',
      '--user',
      '--workdir',
      '--group-add',
      '--hostname',
      '--domainname',
      '--init',
      '--stop-signal',
      '--stop-timeout',
      '--label',
      '--label-file',
      '--health-cmd',
      '--health-interval',
      '--health-timeout',
      '--health-start-period',
      '--health-start-interval',
      '--health-retries',
      '--memory',
      '--memory-swap',
      '--memory-reservation',
      '--cpus',
      '--cpu-shares',
      '--cpuset-cpus',
      '--cpuset-mems',
      '--pids-limit',
      '--ulimit',
      '--shm-size',
      '--oom-score-adj',
      '--memory-swappiness',
      '--cpu-rt-period',
      '--cpu-rt-runtime',
      '--blkio-weight',
      '--blkio-weight-device',
      '--device-read-bps',
      '--device-write-bps',
      '--device-read-iops',
      '--device-write-iops',
      '--oom-kill-disable',
      '--cap-add',
      '--cap-drop',
      '--security-opt',
      '--sysctl',
      '--device',
      '--cgroupns',
      '--ipc',
      '--pid',
      '--volume',
      '--mount',
      '--tmpfs',
      '--read-only',
      '--log-driver',
      '--log-opt',
      '--network',
      '--publish',
      '--expose',
      '--publish-all',
      '--network-alias',
      '--ip',
      '--add-host',
      '--dns',
      '--dns-option',
      '--dns-search',
      '--restart',
      '--name',
      '--interactive',
      '--tty',
    ],
    'as docker create',
    async () => {
      for (const flags of [
        `${PROCESS} ${HEALTH}`,
        LIMITS,
        DISKS,
        RIGHTS,
        FILES,
        NETWORK,
        '-i -t',
        '-i',
      ]) {
        const [theirs, ours] = await both('create', flags);
        expect(ours, flags).toEqual(theirs);
      }
    },
  );

  flagTest(
    'tswarm container run',
    [
      '--env',
      '--env-file',
      '--entrypoint',
      '--user',
      '--workdir',
      '--group-add',
      '--hostname',
      '--domainname',
      '--init',
      '--stop-signal',
      '--stop-timeout',
      '--label',
      '--label-file',
      '--health-cmd',
      '--health-interval',
      '--health-timeout',
      '--health-start-period',
      '--health-start-interval',
      '--health-retries',
      '--memory',
      '--memory-swap',
      '--memory-reservation',
      '--cpus',
      '--cpu-shares',
      '--cpuset-cpus',
      '--cpuset-mems',
      '--pids-limit',
      '--ulimit',
      '--shm-size',
      '--oom-score-adj',
      '--memory-swappiness',
      '--cpu-rt-period',
      '--cpu-rt-runtime',
      '--blkio-weight',
      '--blkio-weight-device',
      '--device-read-bps',
      '--device-write-bps',
      '--device-read-iops',
      '--device-write-iops',
      '--oom-kill-disable',
      '--cap-add',
      '--cap-drop',
      '--security-opt',
      '--sysctl',
      '--device',
      '--cgroupns',
      '--ipc',
      '--pid',
      '--volume',
      '--mount',
      '--tmpfs',
      '--read-only',
      '--log-driver',
      '--log-opt',
      '--network',
      '--publish',
      '--expose',
      '--publish-all',
      '--network-alias',
      '--ip',
      '--add-host',
      '--dns',
      '--dns-option',
      '--dns-search',
      '--restart',
      '--name',
      '--detach',
    ],
    'as docker run; one that cannot be started here is known all the same',
    async () => {
      for (const flags of [`${PROCESS} ${HEALTH}`, LIMITS, DISKS, RIGHTS, FILES, NETWORK]) {
        const [theirs, ours] = await both('run', `-d ${flags}`);
        expect(ours, flags).toEqual(theirs);
      }
    },
  );

  /** Of these only one can be given, or they exclude others. */
  const ALONE = [
    '--no-healthcheck --privileged --cpu-period 100000 --cpu-quota 50000 --uts host --userns host --volumes-from other:ro --annotation a=b --device-cgroup-rule c_1:3_r --cgroup-parent /x --platform linux/amd64',
    '--storage-opt size=1g',
    '--runtime nope',
    '--volume-driver nope',
    '--mac-address 02:42:0a:51:00:4d',
    '--link other:o',
    '--ip6 fd00::77',
  ] as const;

  flagTest(
    'tswarm container create',
    [
      '--no-healthcheck',
      '--privileged',
      '--cpu-period',
      '--cpu-quota',
      '--uts',
      '--userns',
      '--volumes-from',
      '--annotation',
      '--device-cgroup-rule',
      '--storage-opt',
      '--cgroup-parent',
      '--runtime',
      '--volume-driver',
      '--mac-address',
      '--link',
      '--ip6',
      '--platform',
    ],
    'alone, also when the node refuses it: with the same words',
    async () => aloneBoth('create', ALONE),
  );

  flagTest(
    'tswarm container run',
    [
      '--no-healthcheck',
      '--privileged',
      '--cpu-period',
      '--cpu-quota',
      '--uts',
      '--userns',
      '--volumes-from',
      '--annotation',
      '--device-cgroup-rule',
      '--storage-opt',
      '--cgroup-parent',
      '--runtime',
      '--volume-driver',
      '--mac-address',
      '--link',
      '--ip6',
      '--platform',
    ],
    'alone, also when the node refuses it: with the same words',
    async () => aloneBoth('run', ALONE),
  );

  async function aloneBoth(verb: string, all: readonly string[]): Promise<void> {
    for (const flag of all) {
      const text = flag
        .split(' ')
        .map((word) => (word.startsWith('c_') ? word.replaceAll('_', ' ') : word));
      const ended: unknown[] = [];
      for (const side of ['theirs', 'ours']) {
        const args = [
          'container',
          verb,
          ...(verb === 'run' ? ['-d'] : []),
          '--name',
          side,
          ...text,
          'busybox:test',
          'sleep',
          '1000',
        ];
        const result = await (side === 'ours' ? node.tswarm(args) : node.docker(args));
        const isThere = (await node.docker(['inspect', side])).code === 0;
        const said = /(?:Error response from daemon: |Error: )(.*)/.exec(result.stderr)?.[1] ?? '';
        const words = said
          .replaceAll(/[0-9a-f]{12,64}/g, 'ID')
          .replaceAll(side, 'NAME')
          .slice(0, 60);
        ended.push({
          flag,
          code: result.code === 0,
          words,
          known: isThere ? await asked(side) : undefined,
        });
        await node.docker(['rm', '-f', '-v', side]);
      }
      expect(ended[1]).toEqual(ended[0]);
    }
  }

  flagTest(
    'tswarm container update',
    [
      '--memory',
      '--memory-swap',
      '--memory-reservation',
      '--cpus',
      '--cpu-shares',
      '--cpuset-cpus',
      '--cpuset-mems',
      '--pids-limit',
      '--blkio-weight',
      '--restart',
      '--cpu-period',
      '--cpu-quota',
      '--cpu-rt-period',
      '--cpu-rt-runtime',
    ],
    'as docker update',
    async () => {
      const shared =
        '-m 64m --memory-swap 64m --memory-reservation 16m -c 256 --cpuset-cpus 0 --cpuset-mems 0 --pids-limit 99 --restart always';
      for (const flags of [
        shared,
        '--cpus 0.25',
        '--cpu-period 50000 --cpu-quota 25000',
        '--blkio-weight 300',
        '--cpu-rt-period 100000 --cpu-rt-runtime 1000',
      ]) {
        const ended: unknown[] = [];
        for (const side of ['theirs', 'ours']) {
          await node.docker(['run', '-d', '--name', side, 'busybox:test', 'sleep', '1000']);
          const args = ['container', 'update', ...words(flags), side];
          const result = await (side === 'ours' ? node.tswarm(args) : node.docker(args));
          const { HostConfig } = await asked(side);
          ended.push([flags, result.code === 0, HostConfig]);
          await node.docker(['rm', '-f', side]);
        }
        expect(ended[1]).toEqual(ended[0]);
      }
      expect(await refused('container', 'update', 'other')).toContain('one or more flags');
    },
  );
});

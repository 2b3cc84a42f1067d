// Every key of a configuration, one after the other, with every kind of wrong value, against the sanitized runtime: it says what is wrong or does without,
// touches no memory that is not its own, and leaves nothing. (Random damage: test/native/runtime-fuzz.test.ts, `make -C native fuzz-config`.)
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { hierarchies, type Oci, Sandbox } from '../../native/runtime-bundle.ts';

let box: Sandbox;
beforeAll(() => {
  execFileSync('make', ['-s', '-C', 'native', 'build/asan/tswarm-runtime']);
  box = new Sandbox('native/build/asan/tswarm-runtime');
});
afterAll(() => box.dispose());

const WRONG: readonly unknown[] = [
  null,
  true,
  '',
  'x',
  'x'.repeat(70_000),
  -1,
  0.5,
  2 ** 63,
  1e300,
  [],
  {},
  [null],
  { a: 1 },
];

/** Adds what the Docker-like configuration lacks, so that each key of the specification is there. */
function complete(config: Oci): void {
  Object.assign(config, { domainname: 'd', annotations: { a: 'b' } });
  Object.assign(config.process, {
    consoleSize: { height: 1, width: 1 },
    rlimits: [{ type: 'RLIMIT_CORE', soft: 0, hard: 0 }],
    apparmorProfile: '',
    selinuxLabel: '',
    scheduler: { policy: 'SCHED_OTHER', nice: 0, priority: 0, flags: [] },
    ioPriority: { class: 'IOPRIO_CLASS_BE', priority: 4 },
  });
  config.mounts.push({
    destination: '/b',
    type: 'bind',
    source: '/etc',
    options: ['rbind', 'rro', 'rslave'],
  });
  const hook = { path: '/bin/true', args: ['true'], env: ['A=b'], timeout: 5 };
  config.hooks = Object.fromEntries(
    ['prestart', 'createRuntime', 'createContainer', 'startContainer', 'poststart', 'poststop'].map(
      (kind) => [kind, [hook]],
    ),
  );
  config.linux.namespaces.push({ type: 'time' });
  Object.assign(config.linux, {
    timeOffsets: { boottime: { secs: 5, nanosecs: 0 } },
    devices: [{ path: '/dev/x', type: 'c', major: 1, minor: 3, fileMode: 438, uid: 0, gid: 0 }],
    rootfsPropagation: 'private',
    mountLabel: '',
    personality: { domain: 'LINUX', flags: [] },
    seccomp: {
      defaultAction: 'SCMP_ACT_ALLOW',
      defaultErrnoRet: 1,
      architectures: ['SCMP_ARCH_X86_64'],
      flags: [],
      syscalls: [
        {
          names: ['mkdir'],
          action: 'SCMP_ACT_ERRNO',
          errnoRet: 1,
          args: [{ index: 0, value: 1, valueTwo: 2, op: 'SCMP_CMP_MASKED_EQ' }],
        },
      ],
    },
  });
  Object.assign(config.linux.resources as object, {
    cpu: { shares: 512, quota: 50_000, period: 100_000, burst: 0, cpus: '0', mems: '0', idle: 0 },
    hugepageLimits: [{ pageSize: '2MB', limit: 0 }],
    network: { classID: 0, priorities: [] },
    unified: {},
  });
}

/** All places in a value, as lists of keys; of lists only the first item. */
function placesOf(value: unknown, here: readonly string[] = []): (readonly string[])[] {
  if (typeof value !== 'object' || value === null) return [here];
  const keys = Array.isArray(value) ? Object.keys(value).slice(0, 1) : Object.keys(value);
  const inner = keys.flatMap((key) =>
    placesOf((value as Record<string, unknown>)[key], [...here, key]),
  );
  return here.length === 0 ? inner : [here, ...inner];
}

function replaced(config: object, place: readonly string[], value: unknown): string {
  const copy = structuredClone(config) as Record<string, unknown>;
  let at = copy;
  for (const key of place.slice(0, -1)) at = at[key] as Record<string, unknown>;
  at[place.at(-1) ?? ''] = value;
  return JSON.stringify(copy);
}

/** Keys that are refused here, or that this host has no use for: each beside a configuration that works. */
const MORE: Readonly<Record<string, object>> = {
  process: {
    user: { uid: 0, gid: 0, umask: 18, username: 'x' },
    capabilities: { inheritable: ['CAP_KILL'], ambient: ['CAP_KILL'] },
    execCPUAffinity: { initial: '0', final: '0' },
  },
  mounts: {
    0: {
      destination: '/m',
      type: 'bind',
      source: '/etc',
      options: ['bind'],
      uidMappings: [{ containerID: 0, hostID: 0, size: 1 }],
      gidMappings: [{ containerID: 0, hostID: 0, size: 1 }],
    },
  },
  linux: {
    uidMappings: [{ containerID: 0, hostID: 100_000, size: 65_536 }],
    gidMappings: [{ containerID: 0, hostID: 100_000, size: 65_536 }],
    namespaces: { 0: { type: 'mount', path: '/proc/self/ns/mnt' } },
    timeOffsets: { monotonic: { secs: 1, nanosecs: 1 } },
    intelRdt: { closID: 'x', l3CacheSchema: 'x', memBwSchema: 'x', enableCMT: true },
    memoryPolicy: { mode: 'MPOL_BIND', nodes: '0', flags: [] },
    netDevices: { eth0: { name: 'eth1' } },
    seccomp: { listenerPath: '/nowhere', listenerMetadata: 'x' },
    resources: {
      memory: {
        reservation: 1_000_000,
        kernel: 0,
        kernelTCP: 0,
        swappiness: 10,
        disableOOMKiller: true,
        useHierarchy: true,
        checkBeforeUpdate: true,
      },
      cpu: { realtimeRuntime: 1000, realtimePeriod: 10_000 },
      blockIO: {
        leafWeight: 10,
        weightDevice: [{ major: 7, minor: 0, weight: 100, leafWeight: 10 }],
        throttleReadBpsDevice: [{ major: 7, minor: 0, rate: 100 }],
        throttleWriteBpsDevice: [{ major: 7, minor: 0, rate: 100 }],
        throttleReadIOPSDevice: [{ major: 7, minor: 0, rate: 100 }],
        throttleWriteIOPSDevice: [{ major: 7, minor: 0, rate: 100 }],
      },
      rdma: { mlx5: { hcaHandles: 1, hcaObjects: 1 } },
      network: { priorities: [{ name: 'lo', priority: 1 }] },
    },
  },
};

/** One configuration for each key of `more` that is a leaf or a list, nothing else changed. */
function* withOneMore(
  config: object,
  more: object,
  here: readonly string[] = [],
): Generator<{ readonly config: object; readonly place: readonly string[] }> {
  for (const [key, value] of Object.entries(more)) {
    const place = [...here, key];
    const isInner = typeof value === 'object' && !Array.isArray(value) && place.length < 4;
    const known = place.reduce<unknown>(
      (at, name) => (at as Record<string, unknown> | undefined)?.[name],
      config,
    );
    if (isInner && known !== undefined) yield* withOneMore(config, value as object, place);
    else yield { config: JSON.parse(replaced(config, place, value)) as object, place };
  }
}

/** Every word that the runtime's parsers look up in a configuration. */
function wordsOfTheParsers(): readonly string[] {
  const calls = /(?:json_\w+|opt_\w+|parse_\w+)\(\s*(?:[\w>.&*-]+,\s*){1,2}"([a-zA-Z]+)"/g;
  const folder = join(import.meta.dirname, '../../../native/runtime');
  const files = readdirSync(folder).filter((name) => /^(config.*|seccomp|hooks)\.c$/.test(name));
  const texts = files.map((name) => readFileSync(join(folder, name), 'utf8'));
  return [...new Set(texts.flatMap((text) => [...text.matchAll(calls)].map((m) => m[1] ?? '')))];
}

/** Tries every wrong value in these places. */
function tryAll(id: string, config: object, places: readonly (readonly string[])[]): void {
  const file = join(box.dir, id, 'config.json');
  for (const place of places) {
    for (const value of WRONG) {
      writeFileSync(file, replaced(config, place, value));
      const ran = box.run(['create', '--bundle', join(box.dir, id), id]);
      const what = `${place.join('.')} = ${JSON.stringify(value)?.slice(0, 40)}: ${ran.stderr.slice(0, 1500)}`;
      expect([0, 1, 2], what).toContain(ran.code);
      expect(what).not.toMatch(/AddressSanitizer|runtime error/);
      if (ran.code !== 0) {
        const error = JSON.parse(ran.stderr.trim()) as { code: string; message: string };
        expect(error.code, what).not.toBe('');
        expect(error.message, what).not.toBe('');
      }
      expect(box.run(['delete', '--force', id]), what).toMatchObject({ code: 0, stderr: '' });
      expect(existsSync(join(box.root, id)), what).toBe(false);
    }
  }
  for (const base of hierarchies()) expect(existsSync(join(base, box.cgroupPath(id)))).toBe(false);
}

/** A bundle with all keys of the specification that work here. */
function bundle(): { readonly id: string; readonly config: object } {
  const id = box.id();
  const file = join(box.bundle(id, ['/bin/true'], complete), 'config.json');
  return { id, config: JSON.parse(readFileSync(file, 'utf8')) as object };
}

it('says what is wrong with any key, or does without', () => {
  const { id, config } = bundle();
  expect(box.run(['run', '--bundle', join(box.dir, id), id])).toMatchObject({
    code: 0,
    stderr: '',
  });
  const places = placesOf(config).filter((place) => place.join('.') !== 'linux.cgroupsPath');
  expect(places.length).toBeGreaterThan(150);
  tryAll(id, config, places);
});

it('and with those that it refuses, or that this host has no use for', () => {
  const { id, config } = bundle();
  let count = 0;
  for (const { config: changed, place } of withOneMore(config, MORE)) {
    const places = placesOf(changed).filter((at) => place.every((key, i) => at[i] === key));
    expect(places.length, place.join('.')).toBeGreaterThan(0);
    tryAll(id, changed, places);
    count += places.length;
  }
  expect(count).toBeGreaterThan(60);
});

it('tries every key that the parsers know', () => {
  const { config } = bundle();
  const tried = `${JSON.stringify(config)}${JSON.stringify(MORE)}`;
  const words = wordsOfTheParsers();
  expect(words.length).toBeGreaterThan(80);
  expect(words.filter((word) => !tried.includes(`"${word}":`))).toEqual([]);
});

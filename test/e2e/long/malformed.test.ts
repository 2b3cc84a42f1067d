// Every key of a configuration, one after the other, with every kind of wrong value, against the sanitized runtime: it says what is wrong or does without,
// touches no memory that is not its own, and leaves nothing. (Random damage: test/native/runtime-fuzz.test.ts, `make -C native fuzz-config`.)
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
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

it('says what is wrong with any key, or does without', () => {
  const id = box.id();
  const file = join(box.bundle(id, ['/bin/true'], complete), 'config.json');
  const config = JSON.parse(readFileSync(file, 'utf8')) as object;
  expect(box.run(['run', '--bundle', join(box.dir, id), id])).toMatchObject({
    code: 0,
    stderr: '',
  });
  const places = placesOf(config).filter((place) => place.join('.') !== 'linux.cgroupsPath');
  expect(places.length).toBeGreaterThan(150);
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
});

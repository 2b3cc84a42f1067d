// Goal: forms of keys that people use beside the plain ones come to the cluster as they were meant: whose ipc, which profile, which port of a range, whose files.
import { describe, expect, test } from 'vitest';
import { companionServices } from '#protocol/companions';
import {
  AppArmorMode,
  MountType,
  PublishMode,
  SeccompMode,
  type ServiceSpec,
} from '#protocol/generated/specs';
import { containerOf, errorsOf, plan, planned, serviceOf } from './planned.ts';

function services(text: string): Record<string, ServiceSpec> {
  return Object.fromEntries(planned(text).stack.services.map((one) => [one.name, one]));
}

describe('ipc', () => {
  test('of another service: the two stand together, and the other can be joined', () => {
    const { p_a: a, p_b: b } = services(
      'services: {a: {image: x, ipc: "service:b"}, b: {image: x}}',
    );
    expect(a?.taskTemplate?.containerSpec?.ipcMode).toBe('service:p_b');
    expect(companionServices(a?.taskTemplate?.containerSpec)).toEqual(['p_b']);
    expect(b?.taskTemplate?.containerSpec?.ipcMode).toBe('shareable');
  });

  test('of one that says that it is private is refused', () => {
    const result = plan('services: {a: {image: x, ipc: "service:b"}, b: {image: x, ipc: private}}');
    expect(result.ok ? [] : result.errors[0]?.message).toBe(
      'services.a.ipc: the ipc of b is private',
    );
  });

  test.each(['host', 'private', 'shareable', 'none', 'container:old'])('%s', (mode) => {
    expect(containerOf(`ipc: "${mode}"`).ipcMode).toBe(mode);
  });
});

describe('security_opt', () => {
  test('every form', () => {
    const fields =
      'security_opt: ["no-new-privileges:true", systempaths=unconfined, "apparmor:mine", "label:type:t", label=level:s0]';
    expect(containerOf(fields).privileges).toMatchObject({
      noNewPrivileges: true,
      unconfinedSystemPaths: true,
      appArmor: { mode: AppArmorMode.DEFAULT, profile: 'mine' },
      selinuxContext: { type: 't', level: 's0', disable: false },
    });
    const off =
      'security_opt: [no-new-privileges=false, seccomp=unconfined, apparmor=unconfined, label=disable]';
    expect(containerOf(off).privileges).toMatchObject({
      noNewPrivileges: false,
      seccomp: { mode: SeccompMode.UNCONFINED },
      appArmor: { mode: AppArmorMode.DISABLED },
      selinuxContext: { disable: true },
    });
    expect(containerOf('security_opt: [seccomp=builtin]').privileges?.seccomp).toBeUndefined();
  });

  test('a profile’s content is sent, and a changed one replaces the containers', () => {
    const text = 'services: {a: {image: x, security_opt: ["seccomp:./s.json"]}}';
    const made = (profile: string): ServiceSpec | undefined =>
      planned(text, { readFile: () => new TextEncoder().encode(profile) }).stack.services[0];
    const [first, second] = ['{"defaultAction":"A"}', '{"defaultAction":"B"}'].map(made);
    const seccomp = first?.taskTemplate?.containerSpec?.privileges?.seccomp;
    expect(seccomp?.mode).toBe(SeccompMode.CUSTOM);
    expect(new TextDecoder().decode(seccomp?.profile)).toBe('{"defaultAction":"A"}');
    const hash = 'com.docker.compose.config-hash';
    const hashes = [first, second].map((it) => it?.taskTemplate?.containerSpec?.labels[hash]);
    expect(hashes[0]).toMatch(/^[0-9a-f]{64}$/);
    expect(hashes[0]).not.toBe(hashes[1]);
    const huge = plan(text, { readFile: () => new Uint8Array(200_000) });
    expect(huge.ok ? '' : huge.errors[0]?.message).toContain('/p/s.json has 200000 bytes');
  });
});

describe('published ranges', () => {
  const range = { publishedPort: 0, publishedFirst: 8000, publishedLast: 8010 };

  test('one port of the range, for the service or for each replica', () => {
    expect(serviceOf('ports: ["8000-8010:80"]').endpointSpec?.ports).toMatchObject([
      { ...range, targetPort: 80, publishMode: PublishMode.INGRESS },
    ]);
    const long = 'ports: [{target: 80, published: "8000-8010", mode: host}], scale: 3';
    expect(serviceOf(long).endpointSpec?.ports).toMatchObject([
      { ...range, targetPort: 80, publishMode: PublishMode.HOST },
    ]);
    expect(serviceOf('ports: ["9000-9001:80-81"]').endpointSpec?.ports).toMatchObject([
      { publishedPort: 9000, targetPort: 80, publishedFirst: 0 },
      { publishedPort: 9001, targetPort: 81, publishedFirst: 0 },
    ]);
  });

  test('two ranges may meet', () => {
    expect(errorsOf('ports: ["8000-8010:80", "8005-8015:81"]')).toEqual([]);
  });
});

test('image mounts, read-only, with a part of the image', () => {
  const fields = 'volumes: [{type: image, source: "tools:1", target: /t, image: {subpath: bin}}]';
  expect(containerOf(fields).mounts).toMatchObject([
    {
      type: MountType.IMAGE,
      source: 'tools:1',
      target: '/t',
      readOnly: true,
      imageOptions: { subpath: 'bin' },
    },
  ]);
});

test('the mount of an image that the project builds is that very image', () => {
  const file =
    'services: {tools: {build: ., image: "tools:1"}, a: {image: x, volumes: [{type: image, source: "tools:1", target: /t}]}}';
  const id = `sha256:${'ab'.repeat(32)}`;
  const { stack } = planned(file, { imageIds: { tools: id, a: 'sha256:x' } });
  const mounts = stack.services.find(({ name }) => name === 'p_a')?.taskTemplate?.containerSpec
    ?.mounts;
  expect(mounts?.[0]).toMatchObject({ source: 'tools:1', imageOptions: { imageId: id } });
});

test('names and further addresses of interfaces', () => {
  const fields =
    'networks: {default: {interface_name: wan, link_local_ips: [169.254.8.8, "fe80::8"]}}';
  expect(serviceOf(fields).taskTemplate?.networks).toMatchObject([
    {
      driverOpts: { 'com.docker.network.endpoint.ifname': 'wan' },
      linkLocalIps: ['169.254.8.8', 'fe80::8'],
    },
  ]);
});

test('what a container alone calls others', () => {
  expect(containerOf('external_links: [redis_1, "redis_1:cache"]').links).toEqual([
    'redis_1:cache',
  ]);
});

test.each(['fluentd', 'journald', 'json-file', 'local', 'none', 'syslog'])(
  'log driver %s',
  (driver) => {
    expect(serviceOf(`logging: {driver: ${driver}}`).taskTemplate?.logDriver?.name).toBe(driver);
  },
);

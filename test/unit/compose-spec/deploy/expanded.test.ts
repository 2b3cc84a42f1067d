// Goal: keys that are done by other means come to the same: pre_start hooks as services that run before, volumes_from as mounts of both, cpu_quota as processors, the only node as the home of
// the project's folder. Method: plans of small files; the planned services compared.
import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { type PlanOptions, planDeploy } from '#compose-spec/deploy/plan-deploy';
import { hookOwner } from '#compose-spec/deploy/pre-start';
import { companionServices } from '#protocol/companions';
import { DependencyCondition, type ServiceSpec } from '#protocol/generated/specs';
import { load } from '../memory-files.ts';

function plan(text: string, over: Partial<PlanOptions> = {}) {
  const loaded = load(text);
  if (!loaded.ok) throw new Error(loaded.errors.map(({ message }) => message).join('\n'));
  return planDeploy(loaded.project, {
    sha256Hex: (data) => createHash('sha256').update(data).digest('hex'),
    readFile: () => undefined,
    version: '1',
    locate: loaded.locate,
    ...over,
  });
}

function services(
  text: string,
  over: Partial<PlanOptions> = {},
): Readonly<Record<string, ServiceSpec>> {
  const result = plan(text, over);
  if (!result.ok) throw new Error(result.errors.map(({ message }) => message).join('\n'));
  return Object.fromEntries(result.stack.services.map((service) => [service.name, service]));
}

function errors(text: string): readonly string[] {
  const result = plan(text);
  return result.ok ? [] : result.errors.map(({ message }) => message);
}

const dependencies = (
  service: ServiceSpec | undefined,
): readonly (readonly [string, DependencyCondition])[] =>
  (service?.taskTemplate?.dependsOn ?? []).map((it) => [it.service, it.condition]);

describe('pre_start', () => {
  const FILE = `
services:
  web:
    image: app
    command: serve
    environment: {A: "1", B: "2"}
    ports: ["80:80"]
    volumes: ["data:/data"]
    depends_on: [db]
    deploy: {replicas: 3}
    healthcheck: {test: "true"}
    pre_start:
      - command: [migrate, up]
        environment: {B: "3"}
        user: admin
      - {image: tools, command: [warm]}
  db: {image: pg}
volumes: {data: {}}
`;

  it('makes a service of each hook, in order, and lets the service wait for the last', () => {
    const made = services(FILE);
    expect(Object.keys(made).sort()).toEqual([
      'p_db',
      'p_web',
      'p_web-pre_start-1',
      'p_web-pre_start-2',
    ]);
    const [started, completed] = [DependencyCondition.STARTED, DependencyCondition.COMPLETED];
    expect(dependencies(made['p_web-pre_start-1'])).toEqual([['p_db', started]]);
    expect(dependencies(made['p_web-pre_start-2'])).toEqual([['p_web-pre_start-1', completed]]);
    expect(dependencies(made.p_web)).toEqual([
      ['p_db', started],
      ['p_web-pre_start-2', completed],
    ]);
  });

  it('runs a hook once, in the place of the service, without what is its program’s', () => {
    const hook = services(FILE)['p_web-pre_start-1'];
    const container = hook?.taskTemplate?.containerSpec;
    expect(container).toMatchObject({
      image: 'app',
      args: ['migrate', 'up'],
      user: 'admin',
      env: ['A=1', 'B=3'],
    });
    expect(container?.mounts.map(({ source }) => source)).toEqual(['p_data']);
    expect(container?.healthcheck).toBeUndefined();
    expect(hook?.mode?.replicated?.replicas).toBe(1);
    expect(hook?.endpointSpec?.ports ?? []).toEqual([]);
  });

  it('does not touch the service when a hook changes, nor the hook when the service’s command does', () => {
    const hash = (made: Readonly<Record<string, ServiceSpec>>, name: string): string | undefined =>
      made[name]?.labels['com.docker.compose.config-hash'];
    const before = services(FILE);
    const other = services(FILE.replace('[migrate, up]', '[migrate, down]'));
    expect(hash(other, 'p_web')).toBe(hash(before, 'p_web'));
    expect(hash(other, 'p_web-pre_start-1')).not.toBe(hash(before, 'p_web-pre_start-1'));
    const served = services(FILE.replace('command: serve', 'command: other'));
    expect(hash(served, 'p_web-pre_start-1')).toBe(hash(before, 'p_web-pre_start-1'));
  });

  it('leaves hooks of each replica to the service, behind those that run once', () => {
    const made = services(
      'services: {a: {image: x, pre_start: [{command: [y]}, {command: [z], per_replica: true, image: i, user: u}]}}',
    );
    expect(Object.keys(made).sort()).toEqual(['p_a', 'p_a-pre_start-1']);
    expect(made.p_a?.taskTemplate?.containerSpec?.preStart).toMatchObject([
      { command: ['z'], image: 'i', user: 'u' },
    ]);
    expect(dependencies(made.p_a)).toEqual([['p_a-pre_start-1', DependencyCondition.COMPLETED]]);
    expect(
      errors(
        'services: {a: {image: x, pre_start: [{command: [y], per_replica: true}, {command: [z]}]}}',
      ),
    ).toEqual([
      'services.a.pre_start.1: runs once for the service, behind a hook that runs for each replica',
    ]);
  });

  it('refuses a name that is taken', () => {
    expect(
      errors('services: {a: {image: x, pre_start: [{command: [y]}]}, a-pre_start-1: {image: z}}'),
    ).toEqual([
      'services.a.pre_start.0: its service would be called a-pre_start-1, which is there',
    ]);
  });

  it('knows whose hook a service is', () => {
    expect(['web-pre_start-12', 'web', 'web-pre_start'].map(hookOwner)).toEqual([
      'web',
      'web',
      'web-pre_start',
    ]);
  });
});

it('post_start and pre_stop are commands of the container', () => {
  const { p_a: made } = services(
    'services: {a: {image: x, post_start: [{command: [sh, -c, "echo $$A"], user: u, environment: {A: "1"}}], pre_stop: [{command: [bye], privileged: true, working_dir: /w}]}}',
  );
  expect(made?.taskTemplate?.containerSpec).toMatchObject({
    postStart: [{ command: ['sh', '-c', 'echo $A'], user: 'u', env: ['A=1'], privileged: false }],
    preStop: [{ command: ['bye'], workingDir: '/w', privileged: true }],
  });
  expect(errors('services: {a: {image: x, post_start: [{command: []}]}}')).toEqual([
    'services.a.post_start.0.command: is empty',
  ]);
});

describe('volumes_from', () => {
  const mounts = (text: string, name: string): readonly (readonly [string, string, boolean])[] =>
    (services(text)[name]?.taskTemplate?.containerSpec?.mounts ?? []).map((it) => [
      it.source,
      it.target,
      it.readOnly,
    ]);
  const FILE =
    'services: {a: {image: x, volumes: ["data:/data", "/srv:/srv:ro"], tmpfs: [/t]}, b: {image: x, volumes: ["own:/srv"], volumes_from: ["a:ro"]}, c: {image: x, volumes_from: [b]}}\nvolumes: {data: {}, own: {}}';

  it('gives a service the mounts of another, and of those that it has them from', () => {
    expect(mounts(FILE, 'p_b')).toEqual([
      ['p_own', '/srv', false],
      ['p_data', '/data', true],
    ]);
    expect(mounts(FILE, 'p_c')).toEqual(mounts(FILE, 'p_b'));
  });

  it('waits for it as well', () => {
    expect(dependencies(services(FILE).p_b)).toEqual([['p_a', DependencyCondition.STARTED]]);
  });

  it('leaves to the node what has no name, and keeps the two together', () => {
    const from = (text: string): readonly string[] | undefined =>
      services(text).p_b?.taskTemplate?.containerSpec?.volumesFrom;
    const anonymous = 'services: {a: {image: x, volumes: [/data]}, b: {image: x, volumes_from: [';
    expect(from(`${anonymous}a]}}`)).toEqual(['service:p_a']);
    expect(from(`${anonymous}"a:ro"]}}`)).toEqual(['service:p_a:ro']);
    expect(from('services: {b: {image: x, volumes_from: ["container:old:ro"]}}')).toEqual([
      'container:old:ro',
    ]);
    expect(from(FILE)).toEqual([]);
    expect(
      companionServices(services(`${anonymous}a]}}`).p_b?.taskTemplate?.containerSpec),
    ).toEqual(['p_a']);
    expect(errors(`${anonymous}a], scale: 2}, c: {image: x}}`)).toEqual([]);
    const more =
      'services: {a: {image: x, scale: 3, volumes: [/d]}, b: {image: x, scale: 2, volumes_from: [a]}}';
    expect(errors(more)[0]).toContain('2 containers cannot each stand beside one of the 3 of a');
  });
});

describe('cpu_quota', () => {
  const cpus = (fields: string): number | undefined =>
    services(`services: {a: {image: x, ${fields}}}`).p_a?.taskTemplate?.resources?.limits?.nanoCpus;

  it.each([
    ['cpu_quota: 150000', 1.5e9],
    ['cpu_quota: 25000, cpu_period: 50000', 5e8],
    ['cpu_period: 50000', undefined],
    ['cpu_quota: -1', undefined],
  ])('%s', (fields, nanos) => {
    expect(cpus(fields)).toBe(nanos);
  });

  it('is not mixed with cpus', () => {
    expect(errors('services: {a: {image: x, cpus: 1, cpu_quota: 1000}}')).toEqual([
      'services.a.cpu_quota: cannot be set beside `cpus`',
    ]);
  });
});

describe('the only node', () => {
  const constraints = (volumes: string, more = ''): readonly string[] | undefined =>
    services(`services: {a: {image: x, volumes: [${volumes}]${more}}}`, { home: 'n1' }).p_a
      ?.taskTemplate?.placement?.constraints;

  it('stays the place of services that mount the project’s folder', () => {
    expect(constraints('"./src:/src"')).toEqual(['node.id==n1']);
    expect(constraints('"./src:/src:ro"')).toEqual(['node.id==n1']);
    expect(constraints('"/var/log:/log"')).toBeUndefined();
    expect(
      constraints('"./src:/src"', ', deploy: {placement: {constraints: [node.hostname==b]}}'),
    ).toEqual(['node.hostname==b']);
  });
});

describe('containers that share a namespace', () => {
  const FILE = `
services:
  web: {image: web, ports: ["80:80"]}
  vpn: {image: vpn, network_mode: "service:web", pid: "service:web", restart: always}
`;

  it('name the service as the cluster knows it, and are held until it has started', () => {
    const { p_vpn: vpn } = services(FILE);
    expect(vpn?.taskTemplate?.containerSpec).toMatchObject({
      networkMode: 'service:p_web',
      pidMode: 'service:p_web',
    });
    expect(vpn?.taskTemplate?.networks).toEqual([]);
    expect(vpn?.taskTemplate?.dependsOn).toMatchObject([{ service: 'p_web', restart: false }]);
  });

  it.each([
    ['ports: ["1:1"]', 'services.a.ports: conflicting options: port publishing and the container'],
    ['hostname: x', 'services.a.hostname: conflicting options: hostname and the network mode'],
    ['dns: 1.1.1.1', 'services.a.dns: conflicting options: dns and the network mode'],
    [
      'extra_hosts: ["a:1.1.1.1"]',
      'services.a.extra_hosts: conflicting options: custom host-to-IP',
    ],
    [
      'scale: 2',
      'services.a.network_mode: 2 containers cannot each stand beside one of the 3 of b',
    ],
    ['deploy: {mode: global}', 'services.a.network_mode: its containers are on each node'],
  ])('refuse %s', (fields, message) => {
    const file = `services:\n  b: {image: b, scale: 3}\n  a: {image: a, network_mode: "service:b", ${fields}}\n`;
    expect(errors(file).join('\n')).toContain(message);
  });

  it('are one for one, or many at a single one', () => {
    for (const count of [1, 3]) {
      const file = `services:\n  b: {image: b, scale: ${count}}\n  a: {image: a, network_mode: "service:b", scale: 3}\n`;
      expect(errors(file)).toEqual([]);
    }
  });
});

describe('what a build is given', () => {
  const FILE = `
services:
  base: {build: {context: /b}}
  app:
    build:
      context: /a
      secrets: [token, {source: cert, target: tls}]
      additional_contexts: {base: "service:base", src: /src, alpine: "docker-image://alpine:3"}
secrets:
  token: {environment: TOKEN}
  cert: {file: /cert.pem}
`;

  it('secrets by id, images of other services, which are built before; nothing of it goes to the cluster', () => {
    const result = plan(FILE);
    if (!result.ok) throw new Error(result.errors.map(({ message }) => message).join());
    expect(result.images.find(({ service }) => service === 'app')).toMatchObject({
      secrets: [{ id: 'tls', file: '/cert.pem' }],
      contexts: {
        base: 'docker-image://p-base',
        src: '/src',
        alpine: 'docker-image://alpine:3',
      },
      after: ['base'],
    });
    expect(result.stack.secrets).toEqual([]);
  });
});

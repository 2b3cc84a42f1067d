// Goal: `check` names what other tools would drop, where it was written, and nothing that they do; the tables cannot drift from the schema. Method: small files, one that
// uses every part that has a rule of its own, and the tables themselves.
import { describe, expect, it } from 'vitest';
import { checkProject } from '#compose-spec/deploy/check';
import {
  PEER_RULES,
  PEER_SERVICE_KEYS,
  PEER_TOP_RULES,
  treatmentsOf,
  valuesAt,
} from '#compose-spec/deploy/peers';
import { SERVICE_KEYS } from '#compose-spec/load/schema';
import { load } from '../memory-files.ts';

const OPTIONS = {
  sha256Hex: (data: Uint8Array): string => String(data.length).padStart(64, '0'),
  readFile: (): Uint8Array => new Uint8Array([1]),
  version: '1',
};

function check(text: string) {
  const loaded = load(text);
  if (!loaded.ok) throw new Error(loaded.errors.map(({ message }) => message).join('\n'));
  return checkProject(loaded.project, loaded.locate, OPTIONS);
}

/** `path peer=treatment …` */
function findings(text: string): string[] {
  return check(text).peers.map(({ path, peers }) =>
    [path, ...Object.entries(peers).map(([peer, what]) => `${peer}=${what}`)].join(' '),
  );
}

describe('what other tools do', () => {
  it('is named with its place', () => {
    const { peers } = check('services:\n  web:\n    image: a\n    privileged: true\n');
    expect(peers).toEqual([
      {
        path: 'services.web.privileged',
        file: '/p/compose.yaml',
        line: 4,
        peers: { swarm: 'warns' },
      },
    ]);
  });

  it('is nothing where they do all of it', () => {
    expect(findings('services: {web: {image: a, command: b, environment: {A: b}}}')).toEqual([]);
  });

  it.each([
    ['the usual mode', 'deploy: {mode: replicated, replicas: 2}', []],
    ['another mode', 'deploy: {mode: global}', ['deploy.mode compose=ignores podman=ignores']],
    [
      'placement',
      'deploy: {placement: {constraints: [a==b]}}',
      ['deploy.placement.constraints compose=ignores podman=ignores'],
    ],
    [
      'updates',
      'deploy: {update_config: {order: start-first}}',
      ['deploy.update_config compose=ignores podman=ignores'],
    ],
  ])('%s', (_what, deploy, expected) => {
    const found = findings(`services: {web: {image: a, ${deploy}}}`);
    expect(found).toEqual(expected.map((line) => `services.web.${line}`));
  });

  it('is told apart for the two forms of depends_on', () => {
    const plain = 'services: {a: {image: a, depends_on: [b]}, b: {image: b}}';
    expect(findings(plain)).toContain('services.a.depends_on.b swarm=ignores');
    const map =
      'services: {a: {image: a, depends_on: {b: {condition: service_healthy}}}, b: {image: b}}';
    expect(findings(map)).toContain(
      'services.a.depends_on.b.condition swarm=refuses podman=ignores',
    );
    expect(findings(map)).not.toContain('services.a.depends_on.b swarm=ignores');
  });

  it('counts services of profiles that are off', () => {
    const found = findings('services: {a: {image: a}, b: {image: b, profiles: [x], init: true}}');
    expect(found).toContain('services.b.init kompose=ignores');
  });
});

describe('what tswarm does', () => {
  it('otherwise is named with its place, what it refuses first of all', () => {
    const { own, deploys } = check(
      'services:\n  web:\n    image: a\n    expose: [80]\n    credential_spec: {file: x}\n',
    );
    expect(deploys).toBe(false);
    expect(own.map(({ path, line, kind }) => `${line} ${path} ${kind}`)).toEqual([
      '4 services.web.expose emulated',
      '5 services.web.credential_spec refused',
    ]);
    expect(own[1]?.message).toMatch(/^not supported by this version of tswarm \(/);
  });

  it('with everything is nothing', () => {
    expect(check('services: {web: {image: a}}')).toEqual({ peers: [], own: [], deploys: true });
  });
});

describe('the tables', () => {
  it('know only keys of a service, each once for a tool', () => {
    for (const treatments of Object.values(PEER_SERVICE_KEYS)) {
      const keys = Object.values(treatments).flat();
      expect(keys.filter((key) => !(key in SERVICE_KEYS))).toEqual([]);
      expect(new Set(keys).size).toBe(keys.length);
    }
  });

  it('say of each key what each tool does with it', () => {
    expect(treatmentsOf('volumes_from')).toEqual({
      swarm: 'refuses',
      podman: 'ignores',
      kompose: 'ignores',
    });
    expect(treatmentsOf('image')).toEqual({});
  });

  it('have no rule that nothing can meet', () => {
    const loaded = load(EVERYTHING);
    if (!loaded.ok) throw new Error(loaded.errors.map(({ message }) => message).join('\n'));
    const { project } = loaded;
    for (const { path } of PEER_RULES)
      expect([path, [...valuesAt(project.services.web, path.split('.'))].length > 0]).toEqual([
        path,
        true,
      ]);
    for (const { path } of PEER_TOP_RULES)
      expect([path, [...valuesAt(project, path.split('.'))].length > 0]).toEqual([path, true]);
  });
});

/** Uses every part that has a rule of its own. */
const EVERYTHING = `
services:
  db: {image: a}
  web:
    image: a
    depends_on: {db: {condition: service_healthy, restart: true}}
    ports: [{target: 80, published: "80", host_ip: 127.0.0.1, mode: host}]
    secrets: [{source: s, uid: "1", gid: "1", mode: 0400}]
    configs: [{source: c, uid: "1", gid: "1", mode: 0400}, e]
    healthcheck: {test: [CMD, x], start_interval: 1s}
    networks:
      n: {ipv4_address: 10.0.0.2, ipv6_address: "fd00::2", mac_address: "02:00:00:00:00:01",
          priority: 1, gw_priority: 1, interface_name: eth9, link_local_ips: [169.254.1.1]}
    deploy:
      mode: replicated
      labels: {a: b}
      endpoint_mode: vip
      update_config: {order: start-first}
      rollback_config: {order: start-first}
      restart_policy: {condition: any, delay: 1s, max_attempts: 2, window: 3s}
      placement: {constraints: [a==b], preferences: [{spread: node.id}], max_replicas_per_node: 1}
      resources:
        limits: {pids: 5}
        reservations:
          cpus: "1"
          generic_resources: [{discrete_resource_spec: {kind: gpu, value: 1}}]
          devices: [{capabilities: [gpu]}]
networks:
  n: {enable_ipv4: true, enable_ipv6: true, internal: true, driver_opts: {a: b},
      ipam: {config: [{subnet: 10.0.0.0/24}]}}
volumes: {v: {driver_opts: {a: b}}}
secrets: {s: {environment: HOME}}
configs: {c: {content: x}, e: {environment: HOME}}
`;

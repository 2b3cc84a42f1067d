// biome-ignore-all lint/suspicious/noTemplateCurlyInString: templates are what is tested
// Goal: what `config` prints can be read again and means the same; no input makes the loader throw.
// Method: a file with every kind of value, and random trees (fast-check).

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { toCanonicalJson } from '#compose-spec/load/canonical-json';
import { SERVICE } from '#compose-spec/load/fields';
import { SERVICE_KEYS } from '#compose-spec/load/schema';
import { load, project } from '../memory-files.ts';

const EVERYTHING = `
x-top: {n: 1, list: [a, null]}
services:
  web:
    image: w
    build: {context: ., args: {A: $$x}, ssh: [default], ulimits: {nofile: 5}, shm_size: 1m, tags: [t]}
    command: run "it now"
    entrypoint: []
    environment: {A: "$$HOME", N: }
    cpus: 0.5
    mem_limit: 1.5g
    ports: ["80-81:8080-8081", {target: 53, protocol: udp, published: 53}]
    volumes: ["./d:/d:ro", "vol:/v", /anon, {type: tmpfs, target: /t, tmpfs: {size: 10m, mode: 1777}}]
    networks: {n: {aliases: [x], ipv4_address: 10.0.0.9, priority: 5}}
    healthcheck: {test: curl x, interval: 1m30s, retries: 3, start_period: 0s}
    deploy:
      replicas: 2
      update_config: {parallelism: 0, delay: 10s, max_failure_ratio: 0.1, order: start-first}
      resources: {limits: {cpus: "0.5", memory: 1536M}}
      restart_policy: {condition: on-failure, delay: 5s, max_attempts: 3}
      placement: {constraints: [node.role == worker], preferences: [{spread: node.labels.z}]}
    secrets: [{source: s, mode: 0440}]
    configs: [c]
    depends_on: {db: {condition: service_healthy, restart: true}}
    ulimits: {nproc: 10, nofile: {soft: 1, hard: 2}}
    extra_hosts: {h: 1.2.3.4}
    sysctls: {net.core.somaxconn: 1024}
    stop_grace_period: 1m
    pre_start: [{command: [migrate]}]
    develop: {watch: [{path: ./src, action: sync, target: /src}]}
    logging: {driver: json-file, options: {max-size: 10m, max-file: 3}}
    gpus: all
    init: false
    tty: false
  db: {image: d, healthcheck: {disable: true}}
networks: {n: {ipam: {config: [{subnet: 10.0.0.0/24}]}, enable_ipv6: false}}
volumes: {vol: {driver_opts: {a: 1}}}
secrets: {s: {file: ./s}}
configs: {c: {content: "cost: $$5"}}
`;

describe('config output', () => {
  test('is the same after being read again', () => {
    const once = toCanonicalJson(project(EVERYTHING));
    const again = project(JSON.stringify(once), { projectName: 'p' });
    expect(toCanonicalJson(again)).toEqual(once);
  });

  test('prints values as compose does', () => {
    const json = toCanonicalJson(project(EVERYTHING)) as Record<string, never>;
    expect(json).toMatchObject({
      'x-top': { n: 1, list: ['a', null] },
      services: {
        web: {
          command: ['run', 'it now'],
          entrypoint: [],
          environment: { A: '$$HOME', N: null },
          cpus: 0.5,
          mem_limit: '1610612736',
          healthcheck: { interval: '1m30s', start_period: '0s' },
          deploy: { resources: { limits: { cpus: 0.5, memory: '1610612736' } } },
          secrets: [{ mode: '0440' }],
          stop_grace_period: '1m0s',
          gpus: [{ count: -1 }],
          init: false,
        },
        db: { command: null, entrypoint: null, healthcheck: { disable: true } },
      },
    });
    expect(json.services).not.toHaveProperty('web.tty');
    expect(toCanonicalJson(project(EVERYTHING), { singleDollars: true })).toMatchObject({
      configs: { c: { content: 'cost: $5' } },
    });
  });

  test('never holds the content of a secret', () => {
    const text = 'services: {a: {image: x, secrets: [s]}}\nsecrets: {s: {environment: PW}}\n';
    const loaded = project(text, { environment: { PW: 'hunter2' } });
    expect(loaded.secrets.s?.content).toBe('hunter2');
    expect(JSON.stringify(toCanonicalJson(loaded))).not.toContain('hunter2');
  });

  test('every key of a service in the schema can be read and printed', () => {
    expect(Object.keys(SERVICE).sort()).toEqual(Object.keys(SERVICE_KEYS).sort());
    expect(Object.keys(SERVICE_KEYS)).toHaveLength(93);
  });
});

describe('random input', () => {
  const key = fc.oneof(
    fc.constantFrom(
      'services',
      'networks',
      'volumes',
      'secrets',
      'configs',
      'include',
      'x-a',
      'name',
    ),
    fc.constantFrom(...Object.keys(SERVICE_KEYS)),
    fc.constantFrom(
      '__proto__',
      'constructor',
      'a',
      'file',
      'external',
      'target',
      'source',
      'type',
    ),
    fc.string({ maxLength: 5 }),
  );
  const { tree } = fc.letrec((tie) => ({
    tree: fc.oneof(
      { maxDepth: 6, depthSize: 'large' },
      fc.oneof(fc.string(), fc.integer(), fc.double(), fc.boolean(), fc.constant(null)),
      fc.constantFrom('a', '80:80', './x:/x', '$A', '${A:-b}', '10s', '1g', 'service:a', 'yes'),
      fc.array(tie('tree'), { maxLength: 4 }),
      fc.dictionary(key, tie('tree'), { maxKeys: 5 }),
    ),
  }));

  /** A few seconds of work, which a busy machine stretches. */
  const RANDOM_TIMEOUT_MS = 180_000;

  test(
    'trees of every shape give a project or errors, never an exception',
    () => {
      fc.assert(
        fc.property(tree, fc.dictionary(key, tree, { maxKeys: 6 }), (any, service) => {
          const text = JSON.stringify({ services: { a: service, b: any }, networks: any });
          const result = load(
            { '/p/1': text, '/p/2': JSON.stringify(any) },
            { configFiles: ['1', '2', '1'] },
          );
          if (result.ok) toCanonicalJson(result.project);
          else for (const error of result.errors) expect(error.message).not.toBe('');
        }),
        { numRuns: 2000 },
      );
    },
    RANDOM_TIMEOUT_MS,
  );

  test(
    'texts of every kind give a project or errors, never an exception',
    () => {
      const line = fc.tuple(
        fc.constantFrom('', '  ', '    ', '\t', '- '),
        fc.oneof(key, fc.string()),
        fc.constantFrom(':', ': ', ': |', ': &a', ': *a', ': !reset', ': [', ': {', ''),
        fc.string({ unit: 'binary', maxLength: 8 }),
      );
      fc.assert(
        fc.property(fc.array(line), (lines) => {
          const text = lines.map((parts) => parts.join('')).join('\n');
          const result = load(text);
          if (!result.ok) expect(result.errors.length).toBeGreaterThan(0);
        }),
        { numRuns: 2000 },
      );
    },
    RANDOM_TIMEOUT_MS,
  );
});

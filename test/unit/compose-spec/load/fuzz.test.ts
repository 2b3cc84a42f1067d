// Goal: no file ends the loader, the planner or the printer in another way than by errors with a place, and none takes long. Method: every key of every kind of object with values of every shape, and
// a good file with pieces of it exchanged, cut, repeated or spoilt, from fixed seeds; a failure prints its input.
// TSWARM_FUZZ_ROUNDS=50 TSWARM_FUZZ_SEED=100000 tries more of them, from there on.
import { describe, expect, it } from 'vitest';
import { planDeploy } from '#compose-spec/deploy/plan-deploy';
import { toCanonicalJson } from '#compose-spec/load/canonical-json';
import { SERVICE_KEYS } from '#compose-spec/load/schema';
import { Prng } from '../../../support/prng.ts';
import { load } from '../memory-files.ts';

const ROUNDS = Number(process.env.TSWARM_FUZZ_ROUNDS ?? '1');
const SEED = Number(process.env.TSWARM_FUZZ_SEED ?? '0');

/** What somebody may write where something else belongs, in YAML's flow style. */
const SHAPES: readonly string[] = [
  'null',
  '~',
  '""',
  'true',
  'off',
  '0',
  '-1',
  '1.5',
  '1e400',
  '.nan',
  '99999999999999999999',
  'text',
  '"a: b"',
  '"$$x ${Y:-z}"',
  '"${Q:?need}"',
  '[]',
  '[null]',
  '[1, two]',
  '[[a]]',
  '[{}]',
  '[{a: 1}]',
  '[{a: [b]}, c]',
  '{}',
  '{a: null}',
  '{a: 1}',
  '{a: {b: [c]}}',
  '{"": x}',
  '{a: {}}',
  '{source: 1, target: []}',
  '!reset null',
  '!override [x]',
  '!!binary aGk=',
  '2001-01-01',
  '0o17',
  '0x1F',
  '1_000',
  '/',
  ':',
  'a:b:c:d:e',
  '"\\u0000"',
  '"\\uD800"',
  '-',
  '"*"',
  'service:a',
  'container:x',
];

/** Loads, and does with a good project what the commands do. Errors must have a text and, where they are about a value, a place. */
function survive(text: string): void {
  // Processor time: what a loaded machine makes of it is not the loader's doing.
  const started = process.cpuUsage();
  const result = load(text, { environment: { HOME: '/root' }, profiles: ['*'] });
  if (!result.ok) {
    expect(result.errors.length, text).toBeGreaterThan(0);
    for (const { message, line, column, code } of result.errors) {
      expect(message, text).not.toMatch(/undefined undefined|\[object Object\]|NaN:/);
      const needsPlace = code === 'schema' || code === 'yaml' || code === 'value';
      if (needsPlace && message !== 'empty compose file')
        expect([typeof line, typeof column], `${message}\n${text}`).toEqual(['number', 'number']);
    }
  } else {
    JSON.stringify(toCanonicalJson(result.project));
    const plan = planDeploy(result.project, {
      sha256Hex: () => '0'.repeat(64),
      readFile: () => new Uint8Array([1]),
      version: '1',
      hostPlatform: 'linux/amd64',
      locate: result.locate,
      nodes: { here: 'a', all: ['a', 'b'] },
      readTree: () => ({ kind: 'missing' }),
    });
    if (!plan.ok) expect(plan.errors[0]?.message, text).not.toBe('');
  }
  const { user, system } = process.cpuUsage(started);
  expect((user + system) / 1000, text).toBeLessThan(5_000);
}

describe('every key with every shape', () => {
  it.each(Object.keys(SERVICE_KEYS))('services.a.%s', (key) => {
    for (const shape of SHAPES) {
      survive(`services:\n  a:\n    image: x\n    ${key}: ${shape}\n  b: {image: y}\n`);
    }
  });

  const SECTIONS = [
    'services',
    'networks',
    'volumes',
    'configs',
    'secrets',
    'models',
    'include',
    'name',
    'version',
    'x-y',
  ];

  it.each(SECTIONS)('%s', (section) => {
    for (const shape of SHAPES) {
      survive(`${section}: ${shape}\n`);
      survive(`services: {a: {image: x}}\n${section === 'services' ? 'x-s' : section}: ${shape}\n`);
      survive(`${section}: {a: ${shape}}\n`);
      survive(`${section}: {a: {name: ${shape}, external: ${shape}, driver_opts: ${shape}}}\n`);
    }
  });

  const DEEP = [
    'deploy.mode',
    'deploy.replicas',
    'deploy.resources.limits',
    'deploy.resources.limits.cpus',
    'deploy.restart_policy',
    'deploy.placement',
    'deploy.placement.constraints',
    'deploy.update_config',
    'healthcheck.test',
    'healthcheck.interval',
    'healthcheck.retries',
    'logging.options',
    'build.args',
    'build.context',
    'build.secrets',
    'build.platforms',
    'develop.watch',
    'credential_spec.file',
    'blkio_config.weight',
    'extends.service',
    'extends.file',
    'depends_on.b.condition',
    'networks.default.aliases',
    'networks.default.ipv4_address',
    'ulimits.nofile.soft',
    'storage_opt.size',
    'models.m.endpoint_var',
    'provider.type',
    'pre_start.command',
  ];

  it.each(DEEP)('services.a.%s', (path) => {
    const keys = path.split('.');
    for (const shape of SHAPES) {
      const value = keys.reduceRight((inner, key) => `{${key}: ${inner}}`, shape);
      survive(
        `services: {a: {image: x, ${value.slice(1, -1)}}, b: {image: y}}\nmodels: {m: {model: z}}\n`,
      );
    }
  });
});

const GOOD = `name: shop
x-base: &base
  restart: unless-stopped
  logging: {driver: json-file, options: {max-size: 10m}}
services:
  web:
    <<: *base
    image: "shop/web:\${TAG:-1.0}"
    build: {context: ., args: {A: "1"}, target: run}
    command: ["serve", "--port", "80"]
    environment: {DB: "postgres://db", EMPTY: }
    ports: ["8080:80", "443:443/tcp", {target: 53, published: "53", protocol: udp}]
    volumes: ["data:/data", "./html:/html:ro", {type: tmpfs, target: /t, tmpfs: {size: 1m}}]
    networks: {front: {aliases: [www]}, back: }
    depends_on: {db: {condition: service_healthy, restart: true}}
    healthcheck: {test: "curl -f localhost", interval: 10s, retries: 3}
    secrets: [key, {source: key, target: other, mode: 0400}]
    deploy: {replicas: 2, resources: {limits: {cpus: "0.5", memory: 64M}}, update_config: {order: start-first}}
  db:
    extends: {service: base}
    tmpfs: /run:size=1m
    ulimits: {nofile: {soft: 10, hard: 20}}
  tool: {image: t, volumes_from: [web:ro]}
  base: {image: postgres, sysctls: ["a=b"], extra_hosts: ["h=1.2.3.4"]}
networks: {front: {ipam: {config: [{subnet: 10.1.0.0/24}]}}, back: {internal: true}}
volumes: {data: {labels: [a=b]}}
secrets: {key: {file: ./key}}
`;

/** One piece of damage, as editors, merges and broken copies make them. */
const DAMAGE: readonly ((text: string, prng: Prng) => string)[] = [
  (text, prng) => text.slice(0, prng.below(text.length)),
  (text, prng) => {
    const at = prng.below(text.length);
    return text.slice(0, at) + text.slice(at + 1 + prng.below(20));
  },
  (text, prng) => {
    const lines = text.split('\n');
    lines.splice(prng.below(lines.length), 0, lines[prng.below(lines.length)] ?? '');
    return lines.join('\n');
  },
  (text, prng) => {
    const lines = text.split('\n');
    lines.splice(prng.below(lines.length), 1);
    return lines.join('\n');
  },
  (text, prng) => {
    const at = prng.below(text.length);
    const bad = [
      '\t',
      '\u0000',
      '\u0007',
      '{',
      '}',
      '[',
      ']',
      ':',
      '- ',
      '&a ',
      '*a ',
      '*base',
      '!reset ',
      '!x ',
      '|',
      '>',
      '"',
      "'",
      '#',
      '%',
      '@',
      '`',
      '\ud800',
      '\u2028',
      '---\n',
      '...\n',
      '<<: ',
      '${',
      '$',
      '? ',
    ];
    return text.slice(0, at) + (bad[prng.below(bad.length)] ?? '') + text.slice(at);
  },
  (text, prng) => {
    const words = text.split(/(?<=[\s,:[\]{}])/);
    const [from, to] = [prng.below(words.length), prng.below(words.length)];
    words[to] = words[from] ?? '';
    return words.join('');
  },
  (text, prng) =>
    text.replace(/[^\s:,]+/g, (word) =>
      prng.below(60) === 0 ? (SHAPES[prng.below(SHAPES.length)] ?? '') : word,
    ),
  (text, prng) =>
    text.replace(/^( +)/gm, (spaces) => (prng.below(30) === 0 ? `${spaces} ` : spaces)),
];

describe('a good file, spoilt', () => {
  it('is good to begin with', () => {
    expect(load(GOOD)).toMatchObject({ ok: true });
  });

  it.each(Array.from({ length: 4 * ROUNDS }, (_, part) => part))('seeds of part %i', (part) => {
    const first = SEED + part * 100;
    for (let seed = first; seed < first + 100; seed += 1) {
      const prng = new Prng(seed);
      let text = GOOD;
      for (let i = prng.below(3); i >= 0; i -= 1) {
        const damage = DAMAGE[prng.below(DAMAGE.length)];
        text = damage?.(text, prng) ?? text;
      }
      survive(text);
    }
  });
});

describe('what grows', () => {
  it.each([
    [
      'aliases of aliases',
      `x: &a0 [x]\n${Array.from({ length: 40 }, (_, i) => `y${i}: &a${i + 1} [*a${i}, *a${i}, *a${i}, *a${i}]\n`).join('')}services: {a: {image: x, command: *a40}}\n`,
    ],
    ['an anchor in itself', 'services: {a: &a {image: x, environment: *a}}\n'],
    ['brackets', `services: {a: {image: x, command: ${'['.repeat(50_000)}}}\n`],
    ['a merge of itself', 'services:\n  a: &a\n    <<: *a\n    image: x\n'],
    [
      'defaults in defaults',
      `services: {a: {image: "${'${A:-'.repeat(5_000)}x${'}'.repeat(5_000)}"}}\n`,
    ],
    ['extends of itself', 'services: {a: {extends: b}, b: {extends: a}}\n'],
    ['10 MB of one key', `services: {a: {image: "${'x'.repeat(10_000_000)}"}}\n`],
    ['10 MB of lines', 'x: 1\n'.repeat(2_000_000)],
    [
      'bytes',
      Array.from({ length: 4_000 }, (_, i) => String.fromCharCode((i * 7919) % 256)).join(''),
    ],
    ['a range of ports', 'services: {a: {image: x, ports: ["1-65535:1-65535"]}}\n'],
    [
      'many profiles',
      `services: {a: {image: x, profiles: [${Array.from({ length: 20_000 }, (_, i) => `p${i}`).join(', ')}]}}\n`,
    ],
    [
      'a long chain of dependencies',
      `services: {${Array.from({ length: 3_000 }, (_, i) => `s${i}: {image: x, depends_on: [s${i + 1}]}`).join(', ')}, s3000: {image: x}}\n`,
    ],
    [
      'a long chain of extends',
      `services: {${Array.from({ length: 3_000 }, (_, i) => `s${i}: {extends: s${i + 1}}`).join(', ')}, s3000: {image: x}}\n`,
    ],
  ])('%s', (_, text) => {
    survive(text);
  });
});

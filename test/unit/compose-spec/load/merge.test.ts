// Goal: a later file changes an earlier one by the rules of compose.md §2.6, path by path.
// Method: two files with one service each; the merged field is compared.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Service } from '#compose-spec/load/project';
import { errorsOf, project } from '../memory-files.ts';

const COMMON =
  'networks: {n: {}, m: {}}\nvolumes: {vv: {}, ww: {}}\nsecrets: {s: {file: /s}, t: {file: /t}}\n';

function merged(base: string, over: string): Service {
  const files = {
    '/p/a.yaml': `${COMMON}services:\n  db: {image: db}\n  web: {image: x, ${base}}\n`,
    '/p/b.yaml': `services:\n  web: {${over}}\n`,
  };
  const service = project(files, { configFiles: ['a.yaml', 'b.yaml'] }).services.web;
  if (service === undefined) throw new Error('no service');
  return service;
}

describe('rules by path', () => {
  test.each<[keyof Service, string, string, unknown]>([
    ['command', 'command: [a, b]', 'command: [c]', ['c']],
    ['command', 'command: [a, b]', 'command: null', null],
    ['user', 'user: a', 'user: null', 'a'],
    [
      'environment',
      'environment: {A: 1, B: 2}',
      'environment: ["B=3", C]',
      { A: '1', B: '3', C: null },
    ],
    ['labels', 'labels: [a=1]', 'labels: {a: 2, b: 3.10}', { a: '2', b: '3.1' }],
    ['dns', 'dns: 1.1.1.1', 'dns: [2.2.2.2, 1.1.1.1]', ['1.1.1.1', '2.2.2.2']],
    ['cap_add', 'cap_add: [A, B]', 'cap_add: [B, C]', ['A', 'B', 'C']],
    ['security_opt', 'security_opt: [a]', 'security_opt: [b]', ['a', 'b']],
    ['expose', 'expose: [80, "81"]', 'expose: ["80"]', ['80', '81']],
    [
      'extra_hosts',
      'extra_hosts: ["h:1.1.1.1"]',
      'extra_hosts: {h: 1.1.1.1, g: 2.2.2.2}',
      ['g=2.2.2.2', 'h=1.1.1.1'],
    ],
    ['ulimits', 'ulimits: {nofile: {soft: 1, hard: 2}}', 'ulimits: {nofile: 5}', { nofile: 5 }],
    ['tmpfs', 'tmpfs: /a', 'tmpfs: [/b, /a]', ['/a', '/b']],
    [
      'logging',
      'logging: {driver: json-file, options: {a: 1}}',
      'logging: {options: {b: 2}}',
      { driver: 'json-file', options: { a: '1', b: '2' } },
    ],
    [
      'logging',
      'logging: {driver: json-file, options: {a: 1}}',
      'logging: {driver: syslog}',
      { driver: 'syslog' },
    ],
    [
      'depends_on',
      'depends_on: [db]',
      'depends_on: {db: {condition: service_healthy}}',
      { db: { condition: 'service_healthy', required: true } },
    ],
    [
      'networks',
      'networks: [n]',
      'networks: {m: {aliases: [x]}}',
      { n: null, m: { aliases: ['x'] } },
    ],
    [
      'build',
      'build: .',
      'build: {target: t}',
      { context: '/p', target: 't', dockerfile: 'Dockerfile' },
    ],
    [
      'build',
      'build: {args: {A: 1}}',
      'build: {args: [A=2, B=3]}',
      { context: '/p', dockerfile: 'Dockerfile', args: { A: '2', B: '3' } },
    ],
    [
      'volumes',
      'volumes: ["vv:/d:ro", "ww:/e"]',
      'volumes: ["ww:/d"]',
      [
        { type: 'volume', source: 'ww', target: '/d', volume: {} },
        { type: 'volume', source: 'ww', target: '/e', volume: {} },
      ],
    ],
    [
      'secrets',
      'secrets: [s]',
      'secrets: [{source: t, target: /run/secrets/s}]',
      [{ source: 't', target: '/run/secrets/s' }],
    ],
    [
      'ports',
      'ports: ["8080:80", "9090:90"]',
      'ports: [{target: 80, published: 8080, mode: host}]',
      [
        { mode: 'host', target: 80, published: '8080', protocol: 'tcp' },
        { mode: 'ingress', target: 90, published: '9090', protocol: 'tcp' },
      ],
    ],
    [
      'healthcheck',
      'healthcheck: {test: [CMD, a], retries: 2}',
      'healthcheck: {test: b}',
      { test: ['CMD-SHELL', 'b'], retries: 2 },
    ],
  ])('%s: %s ← %s', (key, base, over, expected) => {
    expect(merged(base, over)[key]).toEqual(expected);
  });

  test('address pools merge by subnet', () => {
    const files = {
      '/p/a.yaml':
        'services: {a: {image: x, networks: [n]}}\nnetworks: {n: {ipam: {config: [{subnet: 10.0.0.0/24}, {subnet: 10.1.0.0/24}]}}}\n',
      '/p/b.yaml':
        'networks: {n: {ipam: {config: [{subnet: 10.1.0.0/24, gateway: 10.1.0.9}, {subnet: 10.2.0.0/24}]}}}\n',
    };
    const { networks } = project(files, { configFiles: ['a.yaml', 'b.yaml'] });
    expect(networks.n?.ipam.config).toEqual([
      { subnet: '10.0.0.0/24' },
      { subnet: '10.1.0.0/24', gateway: '10.1.0.9' },
      { subnet: '10.2.0.0/24' },
    ]);
  });

  test('what cannot be combined is refused, with the place of both', () => {
    const files = {
      '/p/a.yaml': 'services: {a: {image: x, deploy: {}}}\n',
      '/p/b.yaml': 'services:\n  a:\n    deploy: [x]\n',
    };
    expect(errorsOf(files, { configFiles: ['a.yaml', 'b.yaml'] })).toEqual([
      'cannot override services.a.deploy',
    ]);
  });

  test('merging a file with itself changes nothing but lists that only append', () => {
    const keys = fc.constantFrom('A', 'B', 'C', 'D');
    const service = fc.record(
      {
        environment: fc.dictionary(
          keys,
          fc.oneof(fc.integer(), fc.string(), fc.boolean(), fc.constant(null)),
        ),
        labels: fc.dictionary(keys, fc.string()),
        cap_add: fc.uniqueArray(keys),
        ports: fc.uniqueArray(fc.integer({ min: 1, max: 65_535 }).map(String)),
        tmpfs: fc.uniqueArray(keys.map((key) => `/${key}`)),
        deploy: fc.record({ replicas: fc.nat(9) }, { requiredKeys: [] }),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(service, (fields) => {
        // Dollar signs would be variables.
        const json = JSON.stringify({ services: { a: { image: 'x', ...fields } } }).replaceAll(
          '$',
          '',
        );
        const once = project({ '/p/a.json': json }, { configFiles: ['a.json'] });
        const twice = project({ '/p/a.json': json }, { configFiles: ['a.json', 'a.json'] });
        expect(twice.services).toEqual(once.services);
      }),
      { numRuns: 200 },
    );
  });
});

describe('!reset and !override', () => {
  const base =
    'services:\n  a:\n    image: x\n    ports: ["80:80"]\n    environment: {A: 1, B: 2}\n    deploy: {replicas: 2}\n';
  const over = (text: string): Service | undefined =>
    project(
      { '/p/a.yaml': base, '/p/b.yaml': `services:\n  a:\n${text}` },
      { configFiles: ['a.yaml', 'b.yaml'] },
    ).services.a;

  test('!reset takes away what was there', () => {
    const service = over('    ports: !reset []\n    environment:\n      A: !reset null\n');
    expect(service).not.toHaveProperty('ports');
    expect(service?.environment).toEqual({ B: '2' });
  });

  test('!override replaces instead of merging', () => {
    expect(over('    ports: !override ["81:81"]\n')?.ports).toHaveLength(1);
    expect(over('    environment: !override {C: 3}\n')?.environment).toEqual({ C: '3' });
  });

  test('both work through anchors and merge keys', () => {
    const files = {
      '/p/a.yaml': base,
      '/p/b.yaml':
        'x-none: &none\n  ports: !reset []\nservices:\n  a:\n    <<: *none\n    user: u\n',
    };
    const service = project(files, { configFiles: ['a.yaml', 'b.yaml'] }).services.a;
    expect(service).not.toHaveProperty('ports');
    expect(service?.user).toBe('u');
  });
});

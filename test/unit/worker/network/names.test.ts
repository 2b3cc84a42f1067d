// Goal: which names the responder gets to know. Method: small states, whole answers; the parts that are remembered are compared with computing anew.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ServiceEndpoints } from '#protocol/generated/dispatcher';
import {
  isDnsName,
  type NamedContainer,
  NamesComputer,
  type NamesInput,
} from '#worker/network/names';
import { NODE_ID, port, service } from '../../../support/network-lab/objects.ts';

interface Config {
  readonly listen: unknown;
  readonly upstreams: readonly string[];
  readonly ttl: number;
  readonly clients: Record<string, string[]>;
  readonly clientUpstreams: Record<string, string[]>;
  readonly clientAliases?: Record<string, Record<string, string>>;
  readonly networks: Record<
    string,
    {
      readonly internal: boolean;
      readonly names: Record<string, { a: string[]; aaaa: string[] }>;
      readonly ptr: Record<string, string>;
      readonly srv: Record<string, { port: number; target: string }[]>;
    }
  >;
}

const FRONT = { id: 'front', internal: false };
const BACK = { id: 'back', internal: true };

function input(more: Partial<NamesInput>): NamesInput {
  return {
    nodeId: NODE_ID,
    dns: '169.254.7.7',
    upstreams: ['192.0.2.1'],
    networks: [FRONT, BACK],
    services: [],
    containers: [],
    ...more,
  };
}

function config(more: Partial<NamesInput>): Config {
  return JSON.parse(new NamesComputer().compute(input(more))) as Config;
}

const elsewhere = (one: ServiceEndpoints): ServiceEndpoints => ({
  ...one,
  backends: one.backends.map((backend) => ({ ...backend, nodeId: 'other' })),
});

function named(
  names: readonly string[],
  on: Record<string, [string, string?]>,
  more: Partial<NamedContainer> = {},
): NamedContainer {
  return {
    containerId: names[0] ?? '',
    taskId: '',
    links: [],
    endpoints: Object.entries(on).map(([networkId, [ipv4, ipv6 = '']]) => ({
      networkId,
      networkName: networkId,
      endpointId: '',
      macAddress: '',
      ipv4,
      ipv4PrefixLength: 24,
      gateway: '',
      ipv6,
      ipv6PrefixLength: 64,
      ipv6Gateway: '',
      aliases: ['alias'],
    })),
    primary: 0,
    ports: [],
    serving: true,
    names,
    nameservers: [],
    aliases: {},
    ...more,
  };
}

describe('the responder’s data', () => {
  it('have one listener, the upstreams and every network', () => {
    const made = config({ upstreams: Array.from({ length: 12 }, (_, i) => `192.0.2.${i}`) });
    expect(made.listen).toEqual([{ address: '169.254.7.7', port: 53 }]);
    expect(made.upstreams.length).toBe(8);
    expect(made.networks).toEqual({
      front: { internal: false, names: {}, ptr: {}, srv: {} },
      back: { internal: true, names: {}, ptr: {}, srv: {} },
    });
  });

  it('know containers by name on their networks, and what each may see', () => {
    const made = config({
      containers: [
        named(
          ['Web', 'abc123'],
          { front: ['10.1.0.5', 'fd00::5'], back: ['10.2.0.5'] },
          { nameservers: ['192.0.2.9'] },
        ),
      ],
    });
    const addresses = { a: ['10.1.0.5'], aaaa: ['fd00::5'] };
    expect(made.networks.front?.names).toEqual({
      web: addresses,
      abc123: addresses,
      alias: addresses,
    });
    expect(made.networks.front?.ptr).toEqual({ '10.1.0.5': 'Web', 'fd00::5': 'Web' });
    expect(made.clients).toEqual({
      '10.1.0.5': ['front', 'back'],
      'fd00::5': ['front', 'back'],
      '10.2.0.5': ['front', 'back'],
    });
    expect(made.clientUpstreams['10.2.0.5']).toEqual(['192.0.2.9']);
  });

  it('know what one container alone calls others', () => {
    const aliases = { cache: 'redis-1' };
    const made = config({
      containers: [
        named(['web'], { front: ['10.1.0.5', 'fd00::5'] }, { aliases }),
        named(['db'], { front: ['10.1.0.6'] }),
      ],
    });
    expect(made.clientAliases).toEqual({ '10.1.0.5': aliases, 'fd00::5': aliases });
  });

  it('know services by virtual address and tasks by their own', () => {
    const web = service({
      name: 'app_web',
      names: ['web'],
      vips: { front: '10.1.0.200' },
      tasks: { t1: { front: '10.1.0.21' }, t2: { front: '10.1.0.22' } },
      elsewhere: ['t1', 't2'],
      waiting: ['t2'],
    });
    const { names, ptr } = config({ services: [web] }).networks.front ?? { names: {}, ptr: {} };
    expect(names).toEqual({
      app_web: { a: ['10.1.0.200'], aaaa: [] },
      'tasks.app_web': { a: ['10.1.0.21'], aaaa: [] },
      web: { a: ['10.1.0.200'], aaaa: [] },
      'tasks.web': { a: ['10.1.0.21'], aaaa: [] },
      'app_web.1.t1': { a: ['10.1.0.21'], aaaa: [] },
    });
    expect(ptr).toEqual({ '10.1.0.200': 'app_web', '10.1.0.21': 'app_web.1.t1' });
  });

  it('know where ports that have a name are: the service, its tasks, nowhere', () => {
    const http = { ...port('8080:80'), name: 'HTTP' };
    const plain = port('81:81');
    const udp = { ...port('5000:53/udp'), name: 'dns' };
    const common = { ports: [http, plain, udp], tasks: { t1: { front: '10.1.0.21' } } };
    const web = service({ ...common, name: 'web', vips: { front: '10.1.0.200' } });
    const db = service({ ...common, name: 'db', mode: 'dnsrr', aliases: ['store'] });
    const idle = service({ ...common, name: 'idle', mode: 'dnsrr', waiting: ['t1'] });
    const at = (services: readonly ServiceEndpoints[]) =>
      Object.fromEntries(
        Object.entries(config({ services: services.map(elsewhere) }).networks.front?.srv ?? {}).map(
          ([name, records]) => [name, records.map((one) => `${one.target}:${one.port}`)],
        ),
      );
    expect(at([web])).toEqual({
      '_http._tcp.web': ['web:80'],
      '_http._tcp.tasks.web': ['web.1.t1:80'],
      '_dns._udp.web': ['web:53'],
      '_dns._udp.tasks.web': ['web.1.t1:53'],
    });
    expect(at([db])['_http._tcp.store']).toEqual(['db.1.t1:80']);
    expect(at([idle])['_http._tcp.idle']).toEqual([]);
    // Of two services with one alias, both.
    const other = { ...db, serviceId: 'idother', serviceName: 'other' };
    expect(at([db, other])['_http._tcp.store']).toEqual(['db.1.t1:80', 'db.1.t1:80']);
  });

  it('answer with the tasks where a service has no virtual address', () => {
    const db = service({
      name: 'db',
      mode: 'dnsrr',
      tasks: { t1: { front: '10.1.0.21' } },
      elsewhere: ['t1'],
    });
    expect(config({ services: [db] }).networks.front?.names.db).toEqual({
      a: ['10.1.0.21'],
      aaaa: [],
    });
  });

  it('give a name that several have the addresses of all', () => {
    const made = config({
      containers: [named(['x'], { front: ['10.1.0.5'] }), named(['x'], { front: ['10.1.0.6'] })],
    });
    expect(made.networks.front?.names.x).toEqual({ a: ['10.1.0.5', '10.1.0.6'], aaaa: [] });
  });

  it('take names that mean something to JavaScript', () => {
    const made = new NamesComputer().compute(
      input({ containers: [named(['__proto__', 'constructor'], { front: ['10.1.0.5'] })] }),
    );
    expect(made).toContain('"__proto__":{"a":["10.1.0.5"],"aaaa":[]}');
    expect(made).toContain('"constructor":{"a":["10.1.0.5"],"aaaa":[]}');
  });

  it('leave out what is no name, and networks that are not here', () => {
    const made = config({
      containers: [
        named(['x'.repeat(64), 'a..b', '', `${'y'.repeat(63)}.ok`], {
          front: ['10.1.0.5'],
          other: ['10.9.0.5'],
        }),
      ],
    });
    expect(Object.keys(made.networks.front?.names ?? {})).toEqual([
      `${'y'.repeat(63)}.ok`,
      'alias',
    ]);
    expect(made.networks.other).toBeUndefined();
  });

  it('are the same whether parts are remembered or not', () => {
    const web = service({
      name: 'web',
      vips: { front: '10.1.0.200' },
      tasks: { t1: { front: '10.1.0.21' }, t2: { front: '10.1.0.22' } },
    });
    const containers = [
      named(['one'], { front: ['10.1.0.21'] }, { taskId: 't1' }),
      named(['two'], { front: ['10.1.0.22'] }, { taskId: 't2' }),
      named(['three'], { back: ['10.2.0.3'] }),
    ];
    const step = fc.record({
      containers: fc.subarray(containers),
      services: fc.subarray([web]),
      networks: fc
        .subarray([FRONT, BACK, { ...BACK, internal: false }])
        .filter((list) => new Set(list.map(({ id }) => id)).size === list.length),
      nodeId: fc.constantFrom(NODE_ID, 'other'),
    });
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 6 }), (steps) => {
        const remembering = new NamesComputer();
        for (const one of steps) {
          expect(remembering.compute(input(one))).toBe(new NamesComputer().compute(input(one)));
        }
      }),
      { numRuns: 100 },
    );
  });
});

describe('a DNS name', () => {
  it.each([
    ['a', true],
    ['a.b', true],
    ['_x', true],
    ['', false],
    ['.', false],
    ['a.', false],
    ['x'.repeat(63), true],
    ['x'.repeat(64), false],
    ['ä'.repeat(31), true],
    ['ä'.repeat(32), false],
    [`${'x'.repeat(60)}.`.repeat(4) + 'y'.repeat(9), true],
    [`${'x'.repeat(60)}.`.repeat(4) + 'y'.repeat(10), false],
  ])('%s: %s', (name, isOne) => {
    expect(isDnsName(name)).toBe(isOne);
  });
});

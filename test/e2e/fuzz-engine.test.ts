// Goal: nothing that a client sends to the Engine API stops the daemon, makes it say what is its own affair (a stack, a bug, a secret), or costs it memory or
// descriptors for good. Method: a real node; every route with generated rubbish in path, query, headers and body from a seed that is named on failure; clients
// that stop in the middle of a head, a body or a stream. TSWARM_FUZZ_ROUNDS=50 for a long run (npm run fuzz:engine).
import { readdirSync, readFileSync } from 'node:fs';
import { request } from 'node:http';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ROUTE_ROLES } from '#api/access/rules';
import { Prng } from '../support/prng.ts';
import { TestNode, until } from '../support/test-node.ts';

const ROUNDS = Number(process.env.TSWARM_FUZZ_ROUNDS ?? '1');
const SEED = Number(process.env.TSWARM_FUZZ_SEED ?? '1');
const PLANTED = 'planted-secret-7f3a';

/** Those that last as long as the client, and those that end the cluster, have tests of their own. */
const LONG = /\/(attach|wait|stats|events|logs|watch|exec\/\{id\}\/start)|^GET \/events/;
const ENGINE: readonly string[] = [
  ...[...ROUTE_ROLES.keys()].filter((route) => !route.includes('/tswarm/')),
  'GET /swarm',
  'GET /swarm/unlockkey',
  'POST /swarm/init',
  'POST /swarm/join',
  'POST /swarm/unlock',
  'POST /swarm/update',
  'DELETE /nodes/{id}',
].filter((route) => !LONG.test(route));

const NAMES = [
  'xx',
  '..%2f..%2fetc%2fpasswd',
  '%00',
  'a'.repeat(4000),
  '%zz',
  '$(id)',
  '..',
  '%2e%2e/%2e%2e',
  'sha256:zz',
  '-',
  '%F0%9F%90%B3',
  'x@y@z',
  '/',
  '*',
];
const QUERIES = [
  '',
  'limit=abc',
  'limit=-5',
  'filters={',
  'filters=[]',
  'filters={"a":1}',
  'filters={"label":{"x":"y"}}',
  'filters={"until":["never"]}',
  't=1e99',
  'signal=NOPE',
  'version=-1',
  'version=999999999999999999',
  'tag=%00',
  'repo=Bad%20Name&tag=x',
  'fromImage=..',
  'fromSrc=-',
  'names=%ff',
  'h=0&w=99999999',
  'since=tomorrow',
  'path=../../etc',
  'size=maybe&all=perhaps',
  'condition=never',
  `q=${'y'.repeat(5000)}`,
];
const SCALARS: readonly unknown[] = [
  null,
  true,
  -1,
  1e300,
  0.5,
  '',
  'x',
  '\u0000',
  '../../etc/passwd',
  [],
  {},
  [null],
  ['x', 1],
  { '': '' },
];
const KEYS = [
  'Image',
  'Cmd',
  'Env',
  'HostConfig',
  'NetworkingConfig',
  'Name',
  'Labels',
  'Driver',
  'IPAM',
  'Container',
  'EndpointConfig',
  'TaskTemplate',
  'ContainerSpec',
  'Mode',
  'Replicated',
  'Data',
  'Spec',
  'Role',
  'Availability',
  'ListenAddr',
  'RemoteAddrs',
  'JoinToken',
  'UnlockKey',
  'Mounts',
  'Binds',
  'PortBindings',
  'Memory',
  'Ulimits',
  'RestartPolicy',
  'Healthcheck',
  'Tty',
  '__proto__',
  'constructor',
  'toString',
];
const RAW_BODIES = [
  '',
  '{',
  '[]',
  '"x"',
  'null',
  '{"a":1',
  '\u0000',
  `${'['.repeat(3000)}`,
  '{"Image":"a","Image":1}',
  '{"Memory":1e400}',
  '{"Memory":99999999999999999999999}',
  '\ufeff{}',
];

let node: TestNode;

beforeAll(async () => {
  node = new TestNode();
  await node.start();
  await node.importBusybox();
  const made = await node.docker([
    'run',
    '-d',
    '--name',
    'xx',
    '-e',
    `KEY=${PLANTED}`,
    'busybox:test',
    'sh',
    '-c',
    'while :; do echo line; sleep 0.1; done',
  ]);
  expect(made.code, made.stderr).toBe(0);
  const init = await node.tswarm([
    'init',
    '--advertise-addr',
    '127.0.0.1:23891',
    '--listen-addr',
    '127.0.0.1:23891',
  ]);
  expect(init.code, init.stderr).toBe(0);
  const secret = await node.tswarm(['secret', 'create', 'hidden', '-'], { input: PLANTED });
  expect(secret.code, secret.stderr).toBe(0);
});

afterAll(async () => {
  await node[Symbol.asyncDispose]();
});

interface Answer {
  readonly status: number;
  readonly text: string;
}

/** @returns status 0 when the connection ended without an answer */
function send(
  method: string,
  path: string,
  body?: string,
  headers: Record<string, string> = {},
): Promise<Answer> {
  return new Promise((resolve) => {
    const none = (): void => resolve({ status: 0, text: '' });
    const outgoing = request(
      {
        socketPath: node.socket,
        method,
        path,
        headers: { 'Content-Type': 'application/json', ...headers },
        agent: false,
        timeout: 20_000,
      },
      (response) => {
        let text = '';
        response.setEncoding('latin1').on('data', (chunk: string) => {
          text = (text + chunk).slice(0, 200_000);
        });
        response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
        response.on('error', none);
      },
    );
    outgoing.on('upgrade', (_response, socket) => {
      socket.destroy();
      resolve({ status: 101, text: '' });
    });
    outgoing.on('timeout', () => {
      outgoing.destroy();
      resolve({ status: -1, text: '' });
    });
    outgoing.on('error', none);
    outgoing.end(body);
  });
}

function pick<T>(prng: Prng, list: readonly T[]): T {
  return list[prng.below(list.length)] as T;
}

function rubbish(prng: Prng, depth: number): unknown {
  if (depth === 0 || prng.below(3) === 0) return pick(prng, SCALARS);
  const entries = Array.from({ length: 1 + prng.below(4) }, () => [
    pick(prng, KEYS),
    rubbish(prng, depth - 1),
  ]);
  return prng.below(4) === 0
    ? entries.map(([, value]) => value)
    : Object.fromEntries(entries as [string, unknown][]);
}

function bodyFor(prng: Prng, method: string): string | undefined {
  if (method === 'GET' || method === 'HEAD' || method === 'DELETE') return undefined;
  return prng.below(3) === 0 ? pick(prng, RAW_BODIES) : JSON.stringify(rubbish(prng, 4));
}

const descriptors = (): number => readdirSync(`/proc/${node.pid}/fd`).length;
const memoryMb = (): number =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${node.pid}/status`, 'utf8'))?.[1]) / 1024;

/** Until what was open has been closed: clients that go are noticed a moment later. */
async function settled(before: number): Promise<void> {
  await until(
    () => descriptors() <= before + 3,
    20_000,
    () => `${before} descriptors before, ${descriptors()} now`,
  );
}

describe('the Engine API under rubbish', () => {
  it(
    'refuses it on every route, with a sentence, and keeps what is secret',
    async () => {
      const pid = node.pid;
      const prng = new Prng(SEED);
      let memory = 0;
      const before = descriptors();
      for (let round = 0; round < ROUNDS; round++) {
        for (const route of ENGINE) {
          const [method = '', pattern = ''] = route.split(' ');
          const path = pattern.replaceAll(/\{[^}]+\}/g, () => pick(prng, NAMES));
          const query = pick(prng, QUERIES);
          const body = bodyFor(prng, method);
          const target = `${pick(prng, ['', '/v1.44', '/v1.24', '/v1.44/'])}${path}${query === '' ? '' : `?${encodeURI(query)}`}`;
          const answer = await send(method, target, body);
          const what = `seed ${SEED}, round ${round}: ${method} ${target.slice(0, 150)} ${body?.slice(0, 150) ?? ''}: ${answer.status} ${answer.text.slice(0, 300)}`;
          expect(answer.status, what).not.toBe(-1);
          expect(answer.text, what).not.toMatch(
            /\n\s+at \S+ \(|TypeError|ReferenceError|Cannot read prop|bug:|is not a function/,
          );
          if (method !== 'GET') expect(answer.text, what).not.toContain(PLANTED);
          // Only what is odd in Docker as well is 500, and then it says why.
          if (answer.status >= 500) expect(answer.text.length, what).toBeGreaterThan(20);
        }
        if (round === 0) memory = memoryMb();
      }
      expect(node.pid).toBe(pid);
      expect((await send('GET', '/_ping')).text).toBe('OK');
      await settled(before);
      if (ROUNDS > 5) expect(memoryMb() - memory).toBeLessThan(80);
      expect(node.log()).not.toContain(PLANTED);
    },
    60_000 + ROUNDS * 30_000,
  );

  it('takes no harm from heads and bodies that are too large, or never end', async () => {
    const before = descriptors();
    const flood = Object.fromEntries(
      Array.from({ length: 900 }, (_, n) => [`x-${n}`, 'y'.repeat(100)]),
    );
    expect((await send('GET', '/_ping', undefined, flood)).status).toBe(431);
    const huge = JSON.stringify({ Image: 'x'.repeat(20_000_000) });
    expect([413, 0]).toContain((await send('POST', '/containers/create', huge)).status);
    const pieces = [
      'GET /_ping HTTP/1.1\r\nHost: x\r\nX-Sl',
      'POST /containers/create HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{"Ima',
      'POST /images/load HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc',
      '\u0000\u0001\u0002\r\n\r\n',
      'GET http://[ HTTP/1.1\r\n\r\n',
      'GET / HTTP/9.9\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n',
    ];
    for (const piece of pieces) {
      const socket = connect({ path: node.socket });
      socket.on('error', () => {});
      await new Promise((resolve) => socket.write(piece, resolve));
      await new Promise((resolve) => setTimeout(resolve, 20));
      socket.destroy();
    }
    await settled(before);
    expect((await send('GET', '/_ping')).text).toBe('OK');
  });

  it('loses no descriptor by clients that vanish from streams', async () => {
    const before = descriptors();
    const paths = [
      '/events',
      '/containers/xx/logs?follow=1&stdout=1',
      '/containers/xx/stats',
      '/v1.44/containers/xx/attach?stream=1&stdout=1',
    ];
    for (let n = 0; n < 40; n++) {
      const path = paths[n % paths.length] ?? '';
      const socket = connect({ path: node.socket });
      socket.on('error', () => {});
      const method = path.includes('attach') ? 'POST' : 'GET';
      socket.write(`${method} ${path} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n`);
      await new Promise((resolve) => socket.once('data', resolve));
      socket.destroy();
    }
    await settled(before);
  });
});

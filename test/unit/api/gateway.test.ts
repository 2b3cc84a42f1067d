// The gateway over a real unix socket, with a hand-written engine and manager behind it: what a Docker client sees on the wire.
// Longer than 500 lines because all of it goes through one way to start and call a gateway.
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { ClusterEvents } from '#api/cache/cluster-events';
import { Gateway } from '#api/gateway';
import { rawNumber } from '#api/http/raw-json';
import type { AttachedStream, EngineJson, NodeEngine, OutputFrame } from '#protocol/engine';
import { TswarmError } from '#protocol/errors';
import type { CreateObjectRequest } from '#protocol/generated/control';
import { Network, Service, Task, TaskState, TaskStatus } from '#protocol/generated/objects';
import { NetworkSpec, ServiceSpec } from '#protocol/generated/specs';
import { testRandom } from '../manager/support/objects.ts';
import { FakeManager, fakeEngine, fakeNode, realClock, silentLog } from './fakes.ts';

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
}

const NO_PAGES = { scripts: '', statics: '', modules: '', protocol: '', api: '' };

const cleanups: (() => Promise<void> | void)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function startGateway(engine: NodeEngine, manager?: FakeManager): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'tswarm-api-'));
  const node = await fakeNode(manager);
  const events = new ClusterEvents(realClock);
  const session = node.session();
  if (session) {
    const stop = events.follow(session.cache);
    cleanups.push(async () => {
      stop();
      manager?.breakStreams();
      await session.cache.stop();
    });
  }
  const socket = join(folder, 'docker.sock');
  const gateway = new Gateway(
    {
      nodeSocket: socket,
      clusterSocket: join(folder, 'cluster.sock'),
      version: '0.0.1',
      dashboard: { address: '', certFile: '', keyFile: '', folders: NO_PAGES },
      api: { address: '', names: [] },
      auditFile: join(folder, 'audit.log'),
    },
    {
      engine,
      node,
      clusterEvents: events,
      randomName: () => 'calm_euler',
      clock: realClock,
      random: testRandom(1),
      log: silentLog,
    },
  );
  await gateway.start();
  cleanups.push(async () => {
    await gateway.stop();
    rmSync(folder, { recursive: true });
  });
  return socket;
}

function call(
  socketPath: string,
  method: string,
  path: string,
  options: { body?: unknown; headers?: Record<string, string> } = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const body = options.body === undefined ? undefined : JSON.stringify(options.body);
    const headers = {
      ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
      ...options.headers,
    };
    const request = httpRequest({ socketPath, method, path, headers, agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, text }),
      );
    });
    request.on('error', reject);
    request.end(body);
  });
}

/** Writes raw bytes piece by piece; null half-closes. @returns everything that came back. */
/** Between pieces: wait until the server has said something. */
const ANSWERED = Symbol('answered');

async function raw(
  socketPath: string,
  pieces: readonly (string | null | typeof ANSWERED)[],
): Promise<string> {
  const socket = connect({ path: socketPath, allowHalfOpen: true });
  let got = '';
  socket.on('data', (chunk) => {
    got += chunk.toString('latin1');
  });
  // A server that refuses a large body closes while we still write.
  const ended = new Promise((resolve) => socket.on('end', resolve).on('error', resolve));
  for (const piece of pieces) {
    if (piece === ANSWERED) {
      if (got === '') await new Promise((resolve) => socket.once('data', resolve));
      continue;
    }
    if (piece === null) socket.end();
    else socket.write(piece);
    await new Promise((resolve) => setTimeout(resolve, 30));
  }
  await ended;
  socket.destroy();
  return got;
}

describe('gateway: basics', () => {
  it('answers ping with and without a version prefix, and the headers clients negotiate by', async () => {
    const socket = await startGateway(fakeEngine({}));
    for (const path of ['/_ping', '/v1.24/_ping']) {
      const answer = await call(socket, 'GET', path);
      expect(answer.status).toBe(200);
      expect(answer.text).toBe('OK');
      expect(answer.headers['api-version']).toBe('1.44');
      expect(answer.headers.swarm).toBe('inactive');
    }
    expect((await call(socket, 'HEAD', '/_ping')).headers['api-version']).toBe('1.44');
    expect(statSync(socket).mode & 0o777).toBe(0o660);
  });

  it('refuses versions that it does not speak', async () => {
    const socket = await startGateway(fakeEngine({}));
    const tooNew = await call(socket, 'GET', '/v1.99/info');
    expect(tooNew.status).toBe(400);
    expect(JSON.parse(tooNew.text).message).toContain('client version 1.99 is too new');
    expect((await call(socket, 'GET', '/v1.12/info')).status).toBe(400);
  });

  it('says page not found for an unknown path and for a wrong method', async () => {
    const socket = await startGateway(fakeEngine({}));
    for (const [method, path] of [
      ['GET', '/nothing'],
      ['DELETE', '/info'],
    ] as const) {
      const answer = await call(socket, method, path);
      expect(answer.status).toBe(404);
      expect(JSON.parse(answer.text)).toEqual({ message: 'page not found' });
    }
  });

  it('refuses bodies that are no JSON, too deep, too large, or of another type', async () => {
    const socket = await startGateway(fakeEngine({}));
    const post = (body: string, type = 'application/json'): Promise<string> =>
      raw(socket, [
        `POST /containers/create HTTP/1.1\r\nHost: d\r\nConnection: close\r\nContent-Type: ${type}\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
      ]);
    expect(await post('{"a":')).toContain('400 Bad Request');
    expect(await post('')).toContain('got EOF');
    expect(await post(`{"a":${'['.repeat(100)}${']'.repeat(100)}}`)).toContain('nested deeper');
    expect(await post('{}', 'text/plain')).toContain('unsupported Content-Type');
    expect(await post(`{"a":"${'x'.repeat(5 * 1024 * 1024)}"}`)).toContain('413');
  });

  it('answers before a body is whole, reads the rest of it, and takes the next request behind it', async () => {
    const missing = () => Promise.reject(new TswarmError('not_found', 'No such folder'));
    const socket = await startGateway(fakeEngine({ containers: { putArchive: missing } }));
    const part = 'x'.repeat(100_000);
    const got = await raw(socket, [
      `PUT /containers/a/archive?path=/b HTTP/1.1\r\nHost: d\r\nContent-Length: 300000\r\n\r\n${part}`,
      ANSWERED,
      part,
      part,
      'GET /_ping HTTP/1.1\r\nHost: d\r\nConnection: close\r\n\r\n',
    ]);
    expect(got).toMatch(/^HTTP\/1\.1 404 [\s\S]*No such folder[\s\S]*HTTP\/1\.1 200 OK[\s\S]*OK$/);
  });

  it('maps codes to statuses and keeps the text', async () => {
    const fail = (error: Error) => () => Promise.reject(error);
    const socket = await startGateway(
      fakeEngine({
        containers: {
          inspect: fail(new TswarmError('not_found', 'No such container: x')),
          start: fail(new TswarmError('not_modified', 'started already')),
          remove: fail(new TswarmError('conflict', 'You cannot remove a running container')),
        },
      }),
    );
    const missing = await call(socket, 'GET', '/containers/x/json');
    expect([missing.status, JSON.parse(missing.text)]).toEqual([
      404,
      { message: 'No such container: x' },
    ]);
    expect((await call(socket, 'POST', '/containers/x/start')).status).toBe(304);
    expect((await call(socket, 'DELETE', '/containers/x')).status).toBe(409);
  });

  it('finds names with slashes and escapes', async () => {
    const seen: string[] = [];
    const socket = await startGateway(
      fakeEngine({
        images: { inspect: async (ref: never) => ({ Id: seen.push(ref) }) },
        containers: { inspect: async (id: never) => ({ Id: seen.push(id) }) },
      }),
    );
    await call(socket, 'GET', '/images/127.0.0.1:5000/t/x:1/json');
    await call(socket, 'GET', '/v1.41/containers/%2Fk1/json');
    expect(seen).toEqual(['127.0.0.1:5000/t/x:1', 'k1']);
  });
});

function attachedTo(output: AsyncIterable<OutputFrame>, stdin: string[]): AttachedStream {
  return {
    tty: false,
    output,
    writeStdin: async (chunk) => {
      stdin.push(Buffer.from(chunk).toString());
    },
    closeStdin: () => stdin.push('<eof>'),
    detach: () => {},
  };
}

describe('gateway: connections taken over', () => {
  async function execSocket(stdin: string[]): Promise<string> {
    async function* output(): AsyncIterable<OutputFrame> {
      while (!stdin.includes('<eof>')) await new Promise((resolve) => setTimeout(resolve, 5));
      yield { stream: 'stdout', data: Buffer.from('out') };
      yield { stream: 'stderr', data: Buffer.from('err') };
    }
    return startGateway(
      fakeEngine({
        exec: { start: async () => attachedTo(output(), stdin) },
        containers: { attach: async () => attachedTo(output(), stdin) },
      }),
    );
  }
  const FRAMES = '\x01\x00\x00\x00\x00\x00\x00\x03out\x02\x00\x00\x00\x00\x00\x00\x03err';
  const body = '{"Detach":false,"Tty":false}';

  it('upgrades exec start with 101; bytes beyond the body are input; output comes after half-close', async () => {
    const stdin: string[] = [];
    const socket = await execSocket(stdin);
    const head = `POST /v1.41/exec/e/start HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n`;
    const got = await raw(socket, [
      `${head}${body.slice(0, 5)}`,
      `${body.slice(5)}first`,
      'second',
      null,
    ]);
    expect(got).toMatch(/^HTTP\/1\.1 101 UPGRADED\r\n/);
    expect(got).toContain('Content-Type: application/vnd.docker.raw-stream');
    expect(got.endsWith(FRAMES)).toBe(true);
    expect(stdin.join('')).toBe('firstsecond<eof>');
  });

  it('answers 200 and the raw stream on the same connection without Upgrade', async () => {
    const stdin: string[] = [];
    const socket = await execSocket(stdin);
    const head = `POST /exec/e/start HTTP/1.1\r\nHost: d\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
    const got = await raw(socket, [head, ANSWERED, 'typed', null]);
    expect(got).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(got).not.toContain('Content-Length');
    expect(got.endsWith(FRAMES)).toBe(true);
    expect(stdin.join('')).toBe('typed<eof>');
  });

  it('answers an error of an upgraded call as an ordinary response and closes', async () => {
    const socket = await startGateway(
      fakeEngine({
        containers: {
          attach: () => Promise.reject(new TswarmError('not_found', 'No such container: x')),
        },
      }),
    );
    const got = await raw(socket, [
      'POST /containers/x/attach?stream=1 HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: 0\r\n\r\n',
    ]);
    expect(got).toMatch(/^HTTP\/1\.1 404 /);
    expect(got).toContain('{"message":"No such container: x"}');
  });

  it('leaves a terminal on the detach keys and passes everything else on', async () => {
    const stdin: string[] = [];
    let end = (): void => {};
    const ended = new Promise<void>((resolve) => {
      end = resolve;
    });
    async function* output(): AsyncIterable<OutputFrame> {
      yield { stream: 'stdout', data: Buffer.from('raw') };
      await ended;
    }
    const attached = { ...attachedTo(output(), stdin), tty: true, detach: () => end() };
    const socket = await startGateway(fakeEngine({ containers: { attach: async () => attached } }));
    const got = await raw(socket, [
      'POST /containers/x/attach?stream=1&stdin=1&detachKeys=ctrl-a,b HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n',
      '1\x01',
      '\x01c\x01b',
    ]);
    expect(got.endsWith('\r\n\r\nraw')).toBe(true);
    expect(stdin.join('')).toBe('1\x01\x01c');
  });

  it('sends the headers of wait before the container ends', async () => {
    let finish: (value: { StatusCode: number; Error: null }) => void = () => {};
    const exit = new Promise<{ StatusCode: number; Error: null }>((resolve) => {
      finish = resolve;
    });
    const socket = await startGateway(fakeEngine({ containers: { wait: async () => ({ exit }) } }));
    const answer = await new Promise<string>((resolve) => {
      httpRequest(
        { socketPath: socket, method: 'POST', path: '/containers/x/wait?condition=next-exit' },
        (response) => {
          // Only now: headers are here while the container still runs.
          finish({ StatusCode: 3, Error: null });
          let text = '';
          response.on('data', (chunk) => {
            text += chunk;
          });
          response.on('end', () => resolve(text));
        },
      ).end();
    });
    expect(JSON.parse(answer)).toEqual({ StatusCode: 3, Error: null });
  });
});

describe('gateway: cluster', () => {
  it('says 503 in the words of Docker without a cluster, and as a problem on our paths', async () => {
    const socket = await startGateway(fakeEngine({}));
    const list = await call(socket, 'GET', '/services');
    expect(list.status).toBe(503);
    expect(JSON.parse(list.text).message).toMatch(/^This node is not a swarm manager\. Use/);
    const own = await call(socket, 'GET', '/tswarm/v1/stacks');
    expect(own.headers['content-type']).toBe('application/problem+json');
    expect(JSON.parse(own.text)).toMatchObject({ status: 503, code: 'no_cluster' });
    expect(JSON.parse((await call(socket, 'GET', '/tswarm/v1/cluster')).text)).toEqual({
      state: 'inactive',
    });
  });

  it('lets a client read what it wrote, by name, id and id prefix', async () => {
    const manager = new FakeManager();
    const socket = await startGateway(fakeEngine({}), manager);
    const made = await call(socket, 'POST', '/services/create', {
      body: { name: 'web', TaskTemplate: { ContainerSpec: { Image: 'nginx' } } },
    });
    expect(made.status).toBe(201);
    const { ID } = JSON.parse(made.text) as { ID: string };
    for (const ref of ['web', ID, ID.slice(0, 6)]) {
      const answer = await call(socket, 'GET', `/services/${ref}`);
      expect(JSON.parse(answer.text)).toMatchObject({ ID, Spec: { Name: 'web' } });
    }
    const missing = await call(socket, 'GET', '/services/nope');
    expect(JSON.parse(missing.text)).toEqual({ message: 'service nope not found' });
  });

  it('tells what was, of node and cluster, in the order of time', async () => {
    const local = (Action: string, micros: number): EngineJson => ({
      Type: 'container',
      Action,
      Actor: { ID: 'c1', Attributes: {} },
      scope: 'local',
      timeNano: rawNumber(BigInt(micros) * 1000n),
    });
    const nowMicros = Date.now() * 1000;
    const events = async function* (): AsyncGenerator<EngineJson> {
      yield local('create', nowMicros - 1_000_000);
      yield local('die', nowMicros + 600_000_000);
    };
    const manager = new FakeManager();
    const socket = await startGateway(fakeEngine({ node: { events } }), manager);
    const body = { name: 'web', TaskTemplate: { ContainerSpec: { Image: 'nginx' } } };
    expect((await call(socket, 'POST', '/services/create', { body })).status).toBe(201);
    const until = Date.now() / 1000 + 0.05;
    const answer = await call(socket, 'GET', `/v1.44/events?since=1&until=${until.toFixed(3)}`);
    const actions = answer.text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as EngineJson)
      .map(({ Type, Action }) => `${Type} ${Action}`);
    expect(actions).toEqual(['container create', 'service create', 'container die']);
  });

  it('names a service that has no name', async () => {
    const socket = await startGateway(fakeEngine({}), new FakeManager());
    const body = { TaskTemplate: { ContainerSpec: { Image: 'nginx' } } };
    expect((await call(socket, 'POST', '/services/create', { body })).status).toBe(201);
    const shown = await call(socket, 'GET', '/services/calm_euler');
    expect(JSON.parse(shown.text).Spec.Name).toBe('calm_euler');
  });

  it('changes nothing in a template when a client sends back what it has read', async () => {
    const manager = new FakeManager();
    manager.put({
      network: Network.create({ id: 'net1', spec: NetworkSpec.create({ name: 'front' }) }),
    });
    const socket = await startGateway(fakeEngine({}), manager);
    const body = {
      Name: 'web',
      TaskTemplate: {
        ContainerSpec: { Image: 'nginx', Init: false, DNSConfig: {}, Args: ['-v'] },
        Resources: { Limits: {}, Reservations: {} },
        Networks: [{ Target: 'front' }],
        ForceUpdate: 0,
      },
      Mode: { Replicated: {} },
    };
    await call(socket, 'POST', '/services/create', { body });
    const read = JSON.parse((await call(socket, 'GET', '/services/web?insertDefaults=false')).text);
    await call(socket, 'POST', `/services/web/update?version=1`, { body: read.Spec });
    const specs = manager.calls
      .filter(({ name }) => name === 'createObject' || name === 'updateObject')
      .map(({ request }) => (request as CreateObjectRequest).spec?.service?.taskTemplate);
    expect(specs).toHaveLength(2);
    expect(specs[1]).toEqual(specs[0]);
    expect(specs[0]?.networks[0]?.target).toBe('net1');
    // What Docker's engine shows of every service.
    expect(read.Spec.TaskTemplate).toMatchObject({
      Runtime: 'container',
      ContainerSpec: { Isolation: 'default' },
    });
  });

  it('accepts both forms of filters and refuses unknown ones', async () => {
    const manager = new FakeManager();
    manager.put({
      service: Service.create({ id: 'a1', spec: ServiceSpec.create({ name: 'web' }) }),
    });
    manager.put({
      service: Service.create({ id: 'b1', spec: ServiceSpec.create({ name: 'db' }) }),
    });
    const socket = await startGateway(fakeEngine({}), manager);
    const names = async (filters: unknown): Promise<string[]> => {
      const path = `/services?filters=${encodeURIComponent(JSON.stringify(filters))}`;
      const list = JSON.parse((await call(socket, 'GET', path)).text) as {
        Spec: { Name: string };
      }[];
      return list.map((service) => service.Spec.Name);
    };
    expect(await names({ name: { web: true } })).toEqual(['web']);
    expect(await names({ name: ['d'] })).toEqual(['db']);
    const bogus = await call(socket, 'GET', '/services?filters={"bogus":["x"]}');
    expect([bogus.status, JSON.parse(bogus.text).message]).toEqual([400, "invalid filter 'bogus'"]);
    expect((await call(socket, 'GET', '/services?filters={"name":"web"}')).status).toBe(400);
  });

  it('counts tasks and selects those of the present spec', async () => {
    const manager = new FakeManager();
    const spec = ServiceSpec.create({ name: 'web', mode: undefined });
    manager.put({ service: Service.create({ id: 's1', spec, specVersion: { index: 7 } }) });
    const task = (id: string, index: number, state: TaskState): void =>
      manager.put({
        task: Task.create({
          id,
          serviceId: 's1',
          serviceName: 'web',
          slot: 1,
          desiredState: TaskState.RUNNING,
          specVersion: { index },
          status: TaskStatus.create({ state }),
        }),
      });
    task('t1', 6, TaskState.RUNNING);
    task('t2', 7, TaskState.PREPARING);
    const socket = await startGateway(fakeEngine({}), manager);
    const [service] = JSON.parse((await call(socket, 'GET', '/services?status=true')).text);
    expect(service.ServiceStatus).toEqual({ RunningTasks: 1, DesiredTasks: 1, CompletedTasks: 0 });
    const filters = encodeURIComponent('{"service":{"web":true},"_up-to-date":{"true":true}}');
    const tasks = JSON.parse((await call(socket, 'GET', `/tasks?filters=${filters}`)).text);
    expect(tasks.map((t: { ID: string }) => t.ID)).toEqual(['t2']);
  });

  it('answers a stale version with the text that clients retry on', async () => {
    const manager = new FakeManager();
    manager.put({
      service: Service.create({ id: 's1', spec: ServiceSpec.create({ name: 'web' }) }),
    });
    const socket = await startGateway(fakeEngine({}), manager);
    manager.failNext(new TswarmError('out_of_sequence', 'service web: was changed at 9'));
    const stale = await call(socket, 'POST', '/services/web/update?version=1', {
      body: { Name: 'web' },
    });
    expect([stale.status, JSON.parse(stale.text).message]).toEqual([
      500,
      'rpc error: code = Unknown desc = update out of sequence',
    ]);
    const noVersion = await call(socket, 'POST', '/services/web/update', { body: { Name: 'web' } });
    expect(noVersion.status).toBe(400);
    const rollback = await call(socket, 'POST', '/services/web/update?version=2&rollback=later', {
      body: {},
    });
    expect(rollback.status).toBe(400);
  });

  it('streams a stack: a snapshot, then a line per change', async () => {
    const manager = new FakeManager();
    const socket = await startGateway(fakeEngine({}), manager);
    const lines: Record<string, unknown>[] = [];
    let stop = (): void => {};
    const done = new Promise<void>((resolve) => {
      const request = httpRequest(
        { socketPath: socket, path: '/tswarm/v1/stacks/shop/watch', agent: false },
        (response) => {
          let text = '';
          response.on('data', (chunk) => {
            text += chunk;
            const parts = text.split('\n');
            text = parts.pop() ?? '';
            for (const part of parts) lines.push(JSON.parse(part));
            if (lines.some((line) => line.action === 'remove')) resolve();
          });
          response.on('error', () => {});
        },
      );
      stop = () => request.destroy();
      request.on('error', () => {});
      request.end();
    });
    while (lines.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    const service = Service.create({
      id: 's1',
      stack: 'shop',
      spec: ServiceSpec.create({ name: 'shop_web' }),
    });
    manager.put({ service });
    manager.put({
      service: Service.create({ id: 's2', spec: ServiceSpec.create({ name: 'other' }) }),
    });
    manager.drop({ service });
    await done;
    stop();
    expect(lines[0]).toMatchObject({ type: 'snapshot', stack: null, services: [] });
    expect(lines.slice(1)).toMatchObject([
      { type: 'change', kind: 'service', action: 'create', object: { ID: 's1' } },
      { type: 'change', kind: 'service', action: 'remove', object: { ID: 's1' } },
    ]);
  });
});

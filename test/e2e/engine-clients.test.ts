// Goal: programs that people have beside Docker find what they read in the answers of both sockets. Method: one real node with a service and a container; the calls
// of each program as it makes them (support/client-replay/calls.ts), with its version, query and headers, and the fields and types that it decodes. Watchtower
// changes something: it makes a container again from what `inspect` said of it, which every field of the answer must survive. Needs root.
import { type IncomingMessage, request } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ClientCall, REPLAYS } from '../support/client-replay/calls.ts';
import { faultsOf } from '../support/client-replay/shape.ts';
import { ServiceNode, SLEEP } from '../support/service-node.ts';
import { until } from '../support/test-node.ts';

const isRoot = process.getuid?.() === 0;
const PORT = 24_811;
const ANSWER_MS = 20_000;

type Json = Readonly<Record<string, unknown>>;

interface Asked {
  readonly status: number;
  readonly type: string;
  readonly text: string;
}

/** Ids of what the test has made, by the word that calls.ts has for them. */
const known: Record<string, string> = {};
const filled = (text: string): string =>
  text.replace(/\{(\w+)\}/g, (whole, name: string) => known[name] ?? whole);

describe.skipIf(!isRoot)('clients of the Engine API', () => {
  const node = new ServiceNode();

  async function ask(
    socketPath: string,
    method: string,
    path: string,
    more: {
      readonly body?: unknown;
      readonly headers?: Readonly<Record<string, string>>;
      readonly isStream?: boolean;
    } = {},
  ): Promise<Asked> {
    const { promise, resolve, reject } = Promise.withResolvers<Asked>();
    const headers = {
      ...(more.body === undefined ? {} : { 'content-type': 'application/json' }),
      ...more.headers,
    };
    const asked = request({ socketPath, method, path, headers, timeout: ANSWER_MS });
    asked.on('timeout', () => asked.destroy(new Error(`${method} ${path}: no answer`)));
    asked.on('error', reject);
    asked.on('response', (response: IncomingMessage) => {
      const type = response.headers['content-type'] ?? '';
      const answer = (text: string): void =>
        resolve({ status: response.statusCode ?? 0, type, text });
      if (more.isStream) {
        answer('');
        response.destroy();
        return;
      }
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('error', reject).on('end', () => answer(text));
    });
    asked.end(more.body === undefined ? undefined : JSON.stringify(more.body));
    return promise;
  }

  async function json<T>(method: string, path: string, body?: unknown): Promise<T> {
    const { status, text } = await ask(node.socket, method, path, { body });
    expect(status, `${method} ${path}: ${text}`).toBeLessThan(300);
    return (text === '' ? undefined : JSON.parse(text)) as T;
  }

  beforeAll(async () => {
    await node.up(PORT);
    known.before = String(Math.floor(Date.now() / 1000) - 60);
    known.image = 'busybox:test';
    const run = ['run', '-d', '--name', 'replay', '--label', 'replay=yes', '-v', 'kept:/data'];
    const made = await node.docker([...run, '--health-cmd', 'true', ...SLEEP]);
    known.container = made.stdout.trim();
    await node.tswarm(['network', 'create', '--driver', 'overlay', '--attachable', 'replaynet']);
    const created = await node.service(
      'create',
      ...['--name', 'web', '--replicas', '2', '--network', 'replaynet'],
      ...['--publish', '28080:80', '--label', 'traefik.enable=true', '--quiet'],
      ...SLEEP,
    );
    expect(created.code, created.stderr).toBe(0);
    type Row = { readonly ID: string };
    const filters = encodeURIComponent('{"service":{"web":true}}');
    const [services, tasks, nodes] = await Promise.all([
      json<readonly Row[]>('GET', '/services'),
      json<readonly Row[]>('GET', `/tasks?filters=${filters}`),
      json<readonly Row[]>('GET', '/nodes'),
    ]);
    known.service = services[0]?.ID ?? '';
    known.task = tasks[0]?.ID ?? '';
    known.node = nodes[0]?.ID ?? '';
    known.network = (await json<{ readonly Id: string }>('GET', '/networks/replaynet')).Id;
    known.now = String(Math.ceil(Date.now() / 1000));
  }, 120_000);

  afterAll(async () => {
    await node.docker(['rm', '-f', 'replay', 'replay-old']);
    await node[Symbol.asyncDispose]();
  }, 60_000);

  const pathOf = (version: string, { path, query = {} }: ClientCall): string => {
    const parameters = Object.entries(query).map(([name, value]) => {
      const text = typeof value === 'object' ? JSON.stringify(value) : String(value);
      return `${name}=${encodeURIComponent(filled(text))}`;
    });
    const target = version + filled(path);
    return parameters.length === 0 ? target : `${target}?${parameters.join('&')}`;
  };

  for (const { client, version, userAgent, calls } of REPLAYS) {
    it.each(['docker.sock', 'cluster.sock'] as const)(`${client}, on %s`, async (name) => {
      const socket = name === 'docker.sock' ? node.socket : node.clusterSocket;
      const wrong: string[] = [];
      for (const call of calls) {
        const path = pathOf(version, call);
        const headers = { 'user-agent': userAgent, ...call.headers };
        const isStream = call.isStream === true;
        const answer = await ask(socket, 'GET', path, { headers, isStream });
        if (answer.status !== (call.status ?? 200)) wrong.push(`${path}: ${answer.status}`);
        else if (call.reads.length > 0) {
          const faults = faultsOf(JSON.parse(answer.text), call.reads);
          wrong.push(...faults.map((fault) => `${path}: ${fault}`));
        }
      }
      expect(wrong).toEqual([]);
    });
  }

  it('Watchtower: a container is made again from what is said of it', async () => {
    const at = '/v1.25';
    const running = encodeURIComponent('{"status":{"running":true}}');
    const rows = await json<readonly Json[]>(
      'GET',
      `${at}/containers/json?filters=${running}&limit=0`,
    );
    expect(rows.map((row) => row.Id)).toContain(known.container);
    type Inspect = {
      readonly Id: string;
      readonly Image: string;
      readonly Config: Json;
      readonly HostConfig: Json;
      readonly NetworkSettings: { readonly Networks: Readonly<Record<string, Json>> };
    };
    const before = await json<Inspect>('GET', `${at}/containers/${known.container}/json`);
    const image = await json<Json>('GET', `${at}/images/${before.Image}/json`);
    expect(image.Id).toBe(before.Image);
    expect(image.RepoDigests).toBeInstanceOf(Array);
    const path = `${at}/containers/${before.Id}`;
    await json('POST', `${path}/kill?signal=SIGKILL`);
    const isGone = async (): Promise<boolean> => {
      const { text } = await ask(node.socket, 'GET', `${path}/json`);
      return (JSON.parse(text) as { readonly State: Json }).State.Running === false;
    };
    await until(isGone, ANSWER_MS);
    await json('POST', `${path}/rename?name=replay-old`);
    const [[network, endpoint] = ['', {}]] = Object.entries(before.NetworkSettings.Networks);
    const made = await json<{ readonly Id: string }>(
      'POST',
      `${at}/containers/create?name=replay`,
      {
        ...before.Config,
        HostConfig: before.HostConfig,
        NetworkingConfig: { EndpointsConfig: { [network]: endpoint } },
      },
    );
    await json('POST', `${at}/networks/${network}/disconnect`, { Container: made.Id, Force: true });
    await json('POST', `${at}/networks/${network}/connect`, {
      Container: made.Id,
      EndpointConfig: { Aliases: endpoint.Aliases, NetworkID: endpoint.NetworkID },
    });
    await json('POST', `${at}/containers/${made.Id}/start`);
    await json('DELETE', `${path}?force=1&v=0`);
    const after = await json<Inspect>('GET', `${at}/containers/replay/json`);
    expect(after.HostConfig).toEqual(before.HostConfig);
    expect({ ...after.Config, Hostname: '' }).toEqual({ ...before.Config, Hostname: '' });
    expect(Object.keys(after.NetworkSettings.Networks)).toEqual([network]);
    expect(after.NetworkSettings.Networks[network]?.IPAddress).not.toBe('');
  });
});

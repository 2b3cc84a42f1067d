// The API over the network: a node that listens with TLS, and who is let in with what: tokens, client certificates (ours and stock docker's), roles, contexts,
// what is refused and what is written down about it. Clients run in the node's network namespace.
// Longer than 500 lines because all of it shares one node, whose start costs more than most tests.
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Schema } from '#api/openapi/engine-schemas';
import { faultOf } from '#api/openapi/validate';
import { commandLines } from '../support/command-lines.ts';
import { flagTest } from '../support/flag-tests.ts';
import { NODE, type Result, ROOT, TestNode, until } from '../support/test-node.ts';

const PORT = '23876';
const PLACE = `127.0.0.1:${PORT}`;
const HERE = ['--advertise-addr', '127.0.0.1:23877', '--listen-addr', '127.0.0.1:23877'];

let node: TestNode;

beforeAll(async () => {
  node = new TestNode();
  await node.start(['--api-addr', PLACE, '--api-names', 'front.example']);
  await node.importBusybox();
  await out('init', ...HERE);
  // The listener gets its certificate once there is a cluster.
  await until(
    async () => (await https('/tswarm/v1/ca')).status === 200,
    20_000,
    () => node.log(),
  );
});

afterAll(async () => {
  await node[Symbol.asyncDispose]();
});

/** Standard output of a command over the socket. */
async function out(...args: string[]): Promise<string> {
  const result = await node.tswarm(args);
  expect(result.code, result.stderr).toBe(0);
  return result.stdout;
}

/** A command as somebody without the socket. */
function remote(
  args: readonly string[],
  input = '',
  env: Record<string, string> = {},
): Promise<Result> {
  commandLines.push(['tswarm', ...args]);
  const script = join(ROOT, 'dist/cli/tswarm/main.js');
  return node.inside(NODE, [script, ...args], {
    input,
    env: { XDG_CONFIG_HOME: join(node.folder, 'config'), TSWARM_HOST: '', ...env },
  });
}

async function remoteOut(args: readonly string[], input = ''): Promise<string> {
  const result = await remote(args, input);
  expect(result.code, result.stderr).toBe(0);
  return result.stdout;
}

async function signIn(name: string, role: string): Promise<void> {
  const token = await out('token', 'create', name, '--role', role);
  await remoteOut(['login', PLACE, '--name', name], token);
}

/** A request in the node's namespace. @returns status and body */
async function https(path: string, ...args: string[]): Promise<{ status: number; body: string }> {
  const result = await node.inside('curl', [
    '-sk',
    '-m',
    '10',
    '-w',
    '\n%{http_code}',
    ...args,
    `https://${PLACE}${path}`,
  ]);
  const at = result.stdout.lastIndexOf('\n');
  return { status: Number(result.stdout.slice(at + 1)), body: result.stdout.slice(0, at) };
}

describe('tokens', () => {
  flagTest('tswarm token create', ['--role', '--expires'], 'by what they may', async () => {
    const token = await out('token', 'create', 'short', '--role', 'operator', '--expires', '2h');
    expect(token).toMatch(/^TSWTKN-1-\S+\n$/);
    const [row = ''] = (await out('token', 'ls', '--json')).split('\n');
    const shown = JSON.parse(row);
    expect(shown).toMatchObject({ Name: 'short', Role: 'operator', Owner: 'admin' });
    expect(Date.parse(shown.ExpiresAt) - Date.now()).toBeLessThan(7_200_001);
    const auth = ['-H', `Authorization: Bearer ${token.trim()}`];
    const who = await https('/tswarm/v1/access', ...auth);
    expect(JSON.parse(who.body)).toEqual({ name: 'short', role: 'operator' });
    expect((await https('/tswarm/v1/tokens', '-X', 'POST', ...auth)).status).toBe(403);
    await out('token', 'rm', 'short');
    expect((await https('/tswarm/v1/access', ...auth)).status).toBe(401);
    for (const wrong of [
      ['--role', 'root'],
      ['--expires', 'soon'],
    ]) {
      expect((await node.tswarm(['token', 'create', 'x', ...wrong])).code).toBe(1);
    }
  });

  flagTest('tswarm token ls', ['--format', '--quiet', '--json'], 'as a list', async () => {
    await out('token', 'create', 'listed');
    expect(await out('token', 'ls')).toMatch(/^ID +NAME +ROLE +OWNER +CREATED +EXPIRES\n/);
    expect(await out('token', 'ls', '--format', '{{.Name}} {{.Role}}')).toBe('listed viewer\n');
    const id = await out('token', 'ls', '--quiet');
    expect(id).toMatch(/^[0-9a-z]{25}\n$/);
    expect(JSON.parse(await out('token', 'ls', '--json')).ID).toBe(id.trim());
    expect((await node.tswarm(['token', 'create', 'listed'])).stderr).toContain('listed');
    await out('token', 'rm', id.trim());
    expect(await out('token', 'ls', '-q')).toBe('');
  });
});

describe('contexts', () => {
  flagTest('tswarm login', ['--name', '--description'], 'make one that is used', async () => {
    const token = await out('token', 'create', 'anna', '--role', 'admin');
    const asked = ['login', PLACE, '--name', 'lab', '--description', 'the lab'];
    expect(await remoteOut(asked, token)).toContain('Signed in as anna (admin)');
    expect(await remoteOut(['node', 'ls', '--format', '{{.Status}}'])).toBe('Ready\n');
    const file = join(node.folder, 'config/tswarm/contexts/lab.json');
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(readFileSync(file, 'utf8')).toContain('the lab');
    // Streams and taken-over connections go the same way.
    const service = ['--name', 'ping', 'busybox:test', 'sleep', '1000'];
    await remoteOut(['service', 'create', '-q', ...service]);
    expect(await out('history')).toMatch(/anna +service ping: create/);
    await remoteOut(['service', 'rm', 'ping']);
  });

  it('send no token to another cluster, and none without a listener', async () => {
    const token = (await out('token', 'create', 'astray')).trim();
    const foreign = token.replace(/^TSWTKN-1-.{50}/, `TSWTKN-1-${'0'.repeat(50)}`);
    const refused = await remote(['login', PLACE], foreign);
    expect(refused.stderr).toContain('is not of the cluster that the token is of');
    const nobody = await remote(['login', '127.0.0.1:23999'], token);
    expect(nobody.stderr).toContain('cannot reach 127.0.0.1:23999');
    expect((await remote(['login', PLACE], 'rubbish')).stderr).toContain('this is no token');
  });

  flagTest('tswarm context ls', ['--format', '--quiet', '--json'], 'as a list', async () => {
    expect(await remoteOut(['context', 'ls', '--quiet'])).toBe('default\nlab\n');
    const shown = await remoteOut(['context', 'ls', '--format', '{{.Name}}={{.DockerEndpoint}}']);
    expect(shown).toContain(`lab=tcp://${PLACE}`);
    const rows = (await remoteOut(['context', 'ls', '--json'])).trim().split('\n');
    expect(JSON.parse(rows[1] ?? '')).toMatchObject({ Name: 'lab', Current: true });
    expect(await remoteOut(['context', 'ls'])).toMatch(/lab \* +the lab +tcp:/);
  });

  flagTest('tswarm context inspect', ['--format'], 'without its secret', async () => {
    expect(await remoteOut(['context', 'inspect', 'lab', '--format', '{{.Auth}}'])).toBe('token\n');
    expect(await remoteOut(['context', 'inspect'])).not.toContain('TSWTKN');
    expect((await remote(['context', 'inspect', 'nope'])).stderr).toContain('does not exist');
  });

  flagTest('tswarm', ['--context'], 'chooses one for a command', async () => {
    await remoteOut(['context', 'use', 'default']);
    expect(await remoteOut(['--context', 'lab', 'node', 'ls', '-q'])).not.toBe('');
    const env = { TSWARM_CONTEXT: 'lab' };
    expect((await remote(['node', 'ls', '-q'], '', env)).code).toBe(0);
    expect((await remote(['--context', 'nope', 'node', 'ls'])).stderr).toContain('does not exist');
  });

  flagTest('tcompose', ['--context'], 'deploys elsewhere', async () => {
    const folder = node.project('afar', {
      'compose.yaml': 'services: {a: {image: "busybox:test", command: sleep 1000}}\n',
    });
    const args = ['--context', 'lab', '-p', 'afar', 'ps', '--format', 'json'];
    commandLines.push(['tcompose', ...args]);
    const script = join(ROOT, 'dist/cli/tcompose/main.js');
    const env = { XDG_CONFIG_HOME: join(node.folder, 'config'), TSWARM_HOST: '' };
    const shown = await node.inside(NODE, [script, ...args], { env, cwd: folder });
    expect(shown.code, shown.stderr).toBe(0);
  });

  flagTest('tswarm context rm', ['--force'], 'of the one in use', async () => {
    await remoteOut(['context', 'use', 'lab']);
    expect((await remote(['context', 'rm', 'lab'])).stderr).toContain('is in use');
    await remoteOut(['context', 'rm', '--force', 'lab']);
    expect(await remoteOut(['context', 'show'])).toBe('default\n');
    expect((await remote(['context', 'rm', 'default'])).code).toBe(1);
  });
});

describe('client certificates', () => {
  flagTest(
    'tswarm client-cert create',
    ['--role', '--expires', '--out'],
    'serve stock docker, too',
    async () => {
      const folder = join(node.folder, 'certs');
      const args = ['client-cert', 'create', 'bert', '--role', 'operator', '--expires', '3d'];
      expect(await out(...args, '--out', folder)).toBe(`${folder}\n`);
      expect(statSync(join(folder, 'key.pem')).mode & 0o777).toBe(0o600);
      // Nothing is made that could not be written down, and a key never lies in a file that others may read.
      const lost = await node.tswarm(['client-cert', 'create', 'lost', '--out', '/proc/none']);
      expect([lost.code, lost.stderr]).toEqual([1, expect.stringContaining('/proc/none')]);
      const key = join(node.folder, 'key.pem');
      writeFileSync(key, '', { mode: 0o644 });
      await out('client-cert', 'create', 'lost', '--out', node.folder);
      expect(statSync(key).mode & 0o777).toBe(0o600);
      await out('client-cert', 'rm', 'lost');
      const env = { DOCKER_TLS_VERIFY: '1', DOCKER_CERT_PATH: folder };
      const docker = (...rest: string[]): Promise<Result> =>
        node.inside('docker', ['-H', `tcp://${PLACE}`, ...rest], { env });
      expect((await docker('node', 'ls', '-q')).stdout).not.toBe('');
      const made = await docker('run', '--rm', 'busybox:test', 'echo', 'hello');
      expect(made.stdout, made.stderr).toBe('hello\n');
      expect((await docker('swarm', 'leave', '--force')).stderr).toContain('takes the role admin');
      const named = await node.inside('curl', [
        ...['-s', '--cacert', join(folder, 'ca.pem'), '--cert', join(folder, 'cert.pem')],
        ...['--key', join(folder, 'key.pem'), '--resolve', `front.example:${PORT}:127.0.0.1`],
        `https://front.example:${PORT}/tswarm/v1/access`,
      ]);
      expect(named.stdout).toContain('"bert"');
    },
  );

  flagTest('tswarm', ['--tlscacert', '--tlscert', '--tlskey'], 'as docker takes them', async () => {
    const folder = join(node.folder, 'certs');
    const files = ['--tlscacert', `${folder}/ca.pem`, '--tlscert', `${folder}/cert.pem`];
    const args = ['-H', `tcp://${PLACE}`, ...files, '--tlskey', `${folder}/key.pem`];
    expect(await remoteOut([...args, 'node', 'ls', '-q'])).not.toBe('');
    expect((await remote(['-H', `tcp://${PLACE}`, 'node', 'ls'])).stderr).toContain('TLS with a');
  });

  flagTest('tswarm context create', ['--docker', '--description'], 'of files', async () => {
    const folder = join(node.folder, 'certs');
    const fields = `host=tcp://${PLACE},ca=${folder}/ca.pem,cert=${folder}/cert.pem,key=${folder}/key.pem`;
    await remoteOut(['context', 'create', 'files', '--docker', fields, '--description', 'x']);
    expect(await remoteOut(['--context', 'files', 'node', 'ls', '-q'])).not.toBe('');
    const again = await remote(['context', 'create', 'files', '--docker', fields]);
    expect(again.stderr).toContain('already exists');
    const bare = await remote(['context', 'create', 'bare', '--docker', `host=tcp://${PLACE}`]);
    expect(bare.stderr).toContain('needs ca, cert and key');
  });

  flagTest('tswarm client-cert ls', ['--format', '--quiet', '--json'], 'as a list', async () => {
    expect(await out('client-cert', 'ls', '--format', '{{.Name}}')).toBe('bert\n');
    const id = (await out('client-cert', 'ls', '--quiet')).trim();
    expect(JSON.parse(await out('client-cert', 'ls', '--json'))).toMatchObject({ ID: id });
    await out('client-cert', 'rm', 'bert');
    const refused = await remote(['--context', 'files', 'node', 'ls']);
    expect(refused.stderr).toContain('was taken back');
  });
});

describe('without a credential', () => {
  it('there is an answer that says so, for every path, and plain HTTP gets none', async () => {
    for (const path of ['/_ping', '/info', '/swarm', '/tswarm/v1/nodes', '/nothing', '/metrics']) {
      expect((await https(path)).status, path).toBe(401);
    }
    const problem = JSON.parse((await https('/tswarm/v1/nodes')).body);
    expect(problem).toMatchObject({ code: 'unauthenticated', status: 401 });
    expect(problem.hint).toContain('tswarm login');
    const plain = await node.inside('curl', ['-s', '-m', '5', `http://${PLACE}/_ping`]);
    expect(plain.stdout).not.toContain('OK');
  });

  it('wrong tokens are slowed down', async () => {
    await signIn('patient', 'viewer');
    let status = 0;
    for (let n = 0; n < 60 && status !== 429; n++) {
      ({ status } = await https('/_ping', '-H', 'Authorization: Bearer wrong'));
    }
    expect(status).toBe(429);
  });
});

describe('for monitoring', () => {
  it('tells whether it lives to anybody, the rest to viewers and to the socket', async () => {
    expect(await https('/healthz')).toEqual({ status: 200, body: 'ok\n' });
    expect((await node.curl('/readyz')).stdout).toBe('ok\n');
    const { stdout } = await node.curl('/metrics');
    for (const line of [
      /^tswarm_raft_term [1-9]\d*$/m,
      /^tswarm_raft_is_leader 1$/m,
      /^tswarm_store_objects\{kind="node"\} 1$/m,
      /^tswarm_nodes\{state="ready"\} 1$/m,
      /^tswarm_tasks\{state="running"\} \d+$/m,
      /^tswarm_api_requests_total\{method="POST",route="\/services\/create",status="201"\} 1$/m,
      /^tswarm_api_request_duration_seconds_count\{method="GET",route="\/tswarm\/v1\/cluster"\} \d+$/m,
      /^process_resident_memory_bytes [1-9]\d+$/m,
    ]) {
      expect(stdout).toMatch(line);
    }
    const families = stdout.split('\n').filter((line) => line.startsWith('# TYPE '));
    expect(new Set(families).size).toBe(families.length);
  });
});

describe('history', () => {
  flagTest('tswarm history', ['--limit', '--format', '--json'], 'names who', async () => {
    const rows = (await out('history', '--json')).trim().split('\n');
    const made = rows.map((row) => JSON.parse(row)).find(({ Author }) => Author === 'anna');
    expect(made.Change).toMatch(/^service ping: /);
    const shown = await out('history', '--limit', '2', '--format', '{{.Author}}');
    expect(shown.trim().split('\n')).toHaveLength(2);
  });
});

describe('audit', () => {
  flagTest('tswarm audit', ['--limit', '--format', '--json'], 'shows who did what', async () => {
    const rows = (await out('audit', '--json', '--limit', '500'))
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    const find = (who: string, request: string): unknown =>
      rows.find((row) => row.Who === who && row.Request === request);
    expect(find('anna', 'POST /services/create')).toMatchObject({ Status: 201, From: '127.0.0.1' });
    expect(find('bert', 'POST /swarm/leave')).toMatchObject({ Status: 403 });
    expect(find('local', 'POST /tswarm/v1/cluster/init')).toMatchObject({ From: 'unix' });
    expect(find('-', 'GET /swarm')).toMatchObject({ Status: 401 });
    expect(JSON.stringify(rows)).not.toContain('TSWTKN');
    const shown = await out('audit', '--limit', '1', '--format', '{{.Request}}');
    expect(shown.trim().split('\n')).toHaveLength(1);
    expect((await node.tswarm(['audit', '--limit', '0'])).stderr).toContain('must be 1 to 1000');
  });

  it('is for root only, on the disk as well', () => {
    const file = join(node.dataRoot, 'audit.log');
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });
});

interface Described {
  readonly parameters: readonly { readonly name: string; readonly in: string }[];
  readonly responses: Readonly<
    Record<string, { readonly content?: Readonly<Record<string, { readonly schema?: Schema }>> }>
  >;
}

interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Described>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> };
}

interface HttpAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
}

/** A request to the cluster socket as it is, path included. */
function raw(
  method: string,
  path: string,
  body?: string,
  headers: Record<string, string> = {},
): Promise<HttpAnswer> {
  return new Promise((resolve, reject) => {
    const type = body === undefined ? {} : { 'content-type': 'application/json' };
    const asked = request(
      {
        socketPath: node.clusterSocket,
        method,
        path,
        headers: { ...type, ...headers },
        agent: false,
      },
      (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (chunk) => (text += chunk));
        response.on('error', reject);
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, headers: response.headers, text }),
        );
      },
    );
    asked.on('error', reject);
    asked.end(body);
  });
}

describe('the description of the API', () => {
  let document: Document;
  beforeAll(async () => {
    document = JSON.parse((await raw('GET', '/tswarm/v1/openapi.json')).text);
    const folder = node.project('told', {
      'compose.yaml':
        'services: {web: {image: "busybox:test", command: sleep 1000, volumes: ["data:/data"]}}\nvolumes: {data: {}}\n',
    });
    const up = await node.tcompose(['-p', 'told', 'up', '-d'], { cwd: folder });
    expect(up.code, up.stderr).toBe(0);
  });

  it('is what every list and object that can be read fits', async () => {
    const first = async (kind: string): Promise<string> =>
      JSON.parse((await raw('GET', `/tswarm/v1/${kind}?limit=1`)).text)[0].ID;
    const made = await raw(
      'POST',
      '/tswarm/v1/secrets',
      '{"Name": "told_key", "Data": "c2VjcmV0"}',
    );
    expect([made.status, JSON.parse(made.text)]).toEqual([
      201,
      { id: expect.stringMatching(/^[0-9a-z]{25}$/), index: expect.any(Number) },
    ]);
    expect(
      (await raw('POST', '/tswarm/v1/configs', '{"Name": "told_conf", "Data": "YQ=="}')).status,
    ).toBe(201);
    const ids: Record<string, string> = {
      nodes: await first('nodes'),
      tasks: await first('tasks'),
      networks: 'told_default',
      volumes: 'told_data',
      secrets: 'told_key',
      configs: 'told_conf',
    };
    let looked = 0;
    for (const [path, { get }] of Object.entries(document.paths)) {
      const schema = get?.responses['200']?.content?.['application/json']?.schema;
      if (!schema) continue;
      const [, kind = ''] = /\/v1\/(\w+)/.exec(path) ?? [];
      const filled = path.replace('{name}', 'told').replace('{id}', ids[kind] ?? 'told_web');
      const query = path.endsWith('/why') ? '?id=told_web' : '';
      const answer = await raw('GET', `${filled}${query}`);
      expect(answer.status, `${path}: ${answer.text}`).toBe(200);
      const fault = faultOf(schema, JSON.parse(answer.text), {
        components: document.components.schemas,
      });
      expect(fault, path).toBeUndefined();
      expect(answer.text, path).not.toContain('c2VjcmV0');
      looked++;
    }
    expect(looked).toBeGreaterThan(25);
  });

  it('gathers images, volumes and figures, and a stack has its history', async () => {
    const get = async (path: string): Promise<unknown> => JSON.parse((await raw('GET', path)).text);
    const { images, missing } = (await get('/tswarm/v1/images')) as {
      images: { tags: string[]; nodes: string[] }[];
      missing: unknown[];
    };
    expect(missing).toEqual([]);
    expect(images).toEqual([
      expect.objectContaining({ tags: ['busybox:test'], nodes: [expect.any(String)] }),
    ]);
    const stats = await get('/tswarm/v1/stats?stack=told');
    expect(stats).toMatchObject({
      missing: [],
      containers: [{ service: 'told_web', stack: 'told', processes: 1 }],
    });
    expect(
      (stats as { containers: { memoryBytes: number }[] }).containers[0]?.memoryBytes,
    ).toBeGreaterThan(0);
    expect(await get('/tswarm/v1/stats?service=other')).toMatchObject({ containers: [] });
    const history = await get('/tswarm/v1/stacks/told/history');
    expect(history).toContainEqual(expect.objectContaining({ summary: 'stack told: deploy' }));
    expect(history).toContainEqual(expect.objectContaining({ summary: 'secret told_key: create' }));
    expect(JSON.stringify(history)).not.toContain('token');
  });

  it('removes and changes single objects', async () => {
    expect((await raw('DELETE', '/tswarm/v1/secrets/told_key')).status).toBe(200);
    expect((await raw('GET', '/tswarm/v1/secrets/told_key')).status).toBe(404);
    const busy = await raw('DELETE', '/tswarm/v1/volumes/told_data');
    expect([busy.status, busy.text]).toEqual([409, expect.stringContaining('in use')]);
    const [self] = JSON.parse((await raw('GET', '/tswarm/v1/nodes')).text);
    const { ID: id, Version: version, Spec: spec } = self;
    const path = `/tswarm/v1/nodes/${id}/update?version=${version.Index}`;
    const body = JSON.stringify({ ...spec, Labels: { disk: 'ssd' } });
    expect((await raw('POST', path, body)).status).toBe(200);
    expect(JSON.parse((await raw('GET', `/tswarm/v1/nodes/${id}`)).text).Spec.Labels).toEqual({
      disk: 'ssd',
    });
    const stale = await raw('POST', path, body);
    expect(JSON.parse(stale.text)).toMatchObject({ code: 'out_of_sequence' });
    expect((await raw('DELETE', `/tswarm/v1/nodes/${id}`)).status).toBeGreaterThanOrEqual(400);
  });

  it('pages lists, and answers 304 for what is known already', async () => {
    await out('token', 'create', 'page-a');
    const first = await raw('GET', '/tswarm/v1/networks?limit=1');
    const next = String(first.headers['x-tswarm-next']);
    expect(JSON.parse(first.text)).toHaveLength(1);
    const rest = JSON.parse((await raw('GET', `/tswarm/v1/networks?after=${next}`)).text);
    const all = JSON.parse((await raw('GET', '/tswarm/v1/networks')).text);
    expect(rest).toHaveLength(all.length - 1);
    await out('volume', 'create', 'page-one');
    await out('volume', 'create', 'page-two');
    type Volumes = { readonly volumes: readonly { readonly name: string }[] };
    const volumesOf = async (query: string): Promise<[Volumes['volumes'], string]> => {
      const { text, headers } = await raw('GET', `/tswarm/v1/local-volumes${query}`);
      return [(JSON.parse(text) as Volumes).volumes, String(headers['x-tswarm-next'])];
    };
    const [whole] = await volumesOf('');
    const seen: string[] = [];
    for (let query = '?limit=1'; query !== ''; ) {
      const [page, behind] = await volumesOf(query);
      expect(page).toHaveLength(1);
      seen.push(...page.map(({ name }) => name));
      query = behind === 'undefined' ? '' : `?limit=1&after=${encodeURIComponent(behind)}`;
    }
    expect(seen).toEqual(whole.map(({ name }) => name).sort());
    const tag = String(first.headers.etag);
    const again = await raw('GET', '/tswarm/v1/networks?limit=1', undefined, {
      'if-none-match': tag,
    });
    expect([again.status, again.text]).toEqual([304, '']);
  });

  it('refuses what it does not name, with the name', async () => {
    const parameter = await raw('GET', '/tswarm/v1/services?stak=x');
    expect(JSON.parse(parameter.text)).toMatchObject({ status: 400, field: 'stak' });
    const body = await raw('POST', '/tswarm/v1/tokens', '{"name": "x", "rol": "admin"}');
    expect(JSON.parse(body.text)).toMatchObject({ status: 400, field: 'rol' });
    const type = await raw('POST', '/tswarm/v1/services/action', '{"services": ["a", 1]}');
    expect(JSON.parse(type.text).detail).toBe('services[1]: must be a string');
  });

  it('holds under rubbish on every call: refused, never a fault of ours, never a stop', async () => {
    const bodies = [
      '{',
      '[]',
      '"x"',
      '{"name": 1, "services": {}}',
      `${'{"a":'.repeat(100)}1`,
      '\0',
    ];
    const names = ['..%2f..%2fetc', '%00', 'a'.repeat(5000), '%zz', '$(id)', '..'];
    const statuses = new Set<number>();
    const ask = async (method: string, path: string, body?: string): Promise<void> => {
      const answer = await raw(method, path, body);
      // `..` leads to another call, which may be one that answers; what is gone has a history as well.
      if (!/\/\.\.|\/history$/.test(path)) statuses.add(answer.status);
      const what = `${method} ${path.slice(0, 80)} ${body?.slice(0, 40) ?? ''}: ${answer.text.slice(0, 200)}`;
      expect(answer.status, what).not.toBe(500);
      expect(answer.text, what).not.toMatch(/\n\s+at /);
    };
    for (const [path, item] of Object.entries(document.paths)) {
      // They end only with the client, or end the cluster.
      if (/watch|events|logs|restore|backup|leave/.test(path)) continue;
      for (const method of Object.keys(item).map((one) => one.toUpperCase())) {
        if (method === 'POST')
          for (const body of bodies) await ask(method, path.replace(/\{\w+\}/, 'x'), body);
        if (!path.includes('{')) continue;
        for (const name of names)
          await ask(method, path.replace(/\{\w+\}/, name), method === 'POST' ? '{}' : undefined);
      }
    }
    expect([...statuses].every((status) => status >= 400 && status < 600)).toBe(true);
    const flood = Object.fromEntries(
      Array.from({ length: 900 }, (_, n) => [`x-${n}`, 'y'.repeat(100)]),
    );
    expect((await raw('GET', '/_ping', undefined, flood)).status).toBe(431);
    const huge = await raw(
      'POST',
      '/tswarm/v1/tokens',
      JSON.stringify({ name: 'x'.repeat(100_000) }),
    );
    expect(huge.status).toBe(413);
    expect((await raw('GET', '/_ping')).text).toBe('OK');
  });
});

// tswarm-names: answers for a node's containers. Method: the real program on loopback addresses, one
// address per pretended container, a scripted upstream, and hand-made messages. One file, since all
// of it asks one running program.
// Longer than 500 lines because one running responder serves all of its tests.

import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  addresses,
  encodeAnswer,
  encodeQuery,
  exchange,
  exchangeTcp,
  type Message,
  type Query,
  record,
  TYPE,
  Upstream,
  wireName,
} from './dns-client.ts';
import { PATIENCE, program } from './programs.ts';

const NAMES = program('tswarm-names');
const REFUSED = 5;
const NXDOMAIN = 3;
const FORMERR = 1;
const SERVFAIL = 2;
const NOTIMP = 4;
const BADVERS = 16;

const port = 20_000 + (process.pid % 20_000);
const first = new Upstream();
const second = new Upstream();
let folder = '';
let responder: ChildProcess;
let stderr = '';

interface Config {
  listen: { address: string; port: number }[];
  upstreams: ({ address: string; port: number } | string)[];
  ttl: number;
  clients: Record<string, string[]>;
  clientUpstreams: Record<string, { address: string; port: number }[]>;
  clientAliases: Record<string, Record<string, string>>;
  networks: Record<string, unknown>;
}

const config: Config = {
  listen: [
    { address: '127.0.0.1', port },
    { address: '203.0.113.77', port },
  ],
  upstreams: [
    { address: '127.0.0.1', port: port + 1 },
    { address: '127.0.0.1', port: port + 2 },
  ],
  ttl: 7,
  clients: {
    '127.0.0.1': ['front', 'back'],
    '127.0.0.2': ['back', 'front'],
    '127.0.0.3': ['back'],
    '127.0.0.5': [],
    '127.0.0.6': ['unknown'],
    '127.0.0.7': ['front'],
    '127.0.0.8': ['front'],
    '127.0.0.9': ['back'],
  },
  clientUpstreams: {
    '127.0.0.8': [{ address: '127.0.0.1', port: port + 2 }],
    '127.0.0.4': [{ address: '127.0.0.1', port: port + 2 }],
    '127.0.0.9': [{ address: '127.0.0.1', port: port + 2 }],
  },
  clientAliases: {
    '127.0.0.3': { Store: 'db', db: 'nowhere' },
    '127.0.0.4': { store: 'db' },
  },
  networks: {
    front: {
      internal: false,
      names: {
        Web: { a: ['10.0.1.2', '10.0.1.3', '10.0.1.4'], aaaa: [] },
        'tasks.web': { a: ['10.0.1.9'], aaaa: ['fd00::9'] },
        both: { a: ['10.0.1.8'], aaaa: [] },
        none: { a: [], aaaa: [] },
        many: { a: Array.from({ length: 400 }, (_, i) => `10.9.${i >> 8}.${i & 255}`), aaaa: [] },
      },
      ptr: { '10.0.1.2': 'web.1.abc.front', 'fd00::9': 'web.2.def.front' },
      srv: { '_http._tcp.web': [{ priority: 1, weight: 2, port: 8080, target: 'web' }] },
    },
    back: {
      internal: true,
      names: { db: { a: ['10.0.2.2'], aaaa: ['fd00:2::2'] }, both: { a: ['10.0.2.8'], aaaa: [] } },
      ptr: { '10.0.2.2': 'db.1.xyz.back' },
      srv: {},
    },
  },
};

function writeConfig(value: unknown): void {
  writeFileSync(join(folder, 'names.json.new'), JSON.stringify(value));
  renameSync(join(folder, 'names.json.new'), join(folder, 'names.json'));
}

async function until(check: () => boolean | Promise<boolean>): Promise<void> {
  for (let i = 0; i < 250 * PATIENCE; i++) {
    if (await check()) return;
    await sleep(20);
  }
  throw new Error('did not happen in 5 s');
}

async function ask(query: Query, source = '127.0.0.1'): Promise<Message> {
  const answer = await exchange(port, encodeQuery(query), { source });
  if (!answer) throw new Error(`no answer for ${query.name}`);
  return answer;
}

beforeAll(async () => {
  expect(process.getuid?.(), 'these tests need root').toBe(0);
  folder = mkdtempSync(join(tmpdir(), 'tswarm-names-'));
  execFileSync('chmod', ['755', folder]);
  writeConfig(config);
  await first.start('127.0.0.1', port + 1);
  await second.start('127.0.0.1', port + 2);
  responder = spawn(
    NAMES,
    ['--config', join(folder, 'names.json'), '--pid-file', join(folder, 'pid'), '--user', '65534'],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  responder.stderr?.on('data', (data: Buffer) => {
    stderr += data.toString();
  });
  await until(() => existsSync(join(folder, 'pid')));
});

afterAll(async () => {
  responder.kill('SIGTERM');
  await first.stop();
  await second.stop();
  rmSync(folder, { recursive: true, force: true });
});

beforeEach(() => {
  for (const upstream of [first, second]) {
    upstream.seen.length = 0;
    upstream.script = () => [];
  }
});

describe('process', () => {
  it('says who it is and has given up root', () => {
    const [pid, start] = readFileSync(join(folder, 'pid'), 'utf8').trim().split(' ');
    expect(Number(pid)).toBe(responder.pid);
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    expect(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]).toBe(start);
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    expect(status).toMatch(/Uid:\t65534\t65534\t65534\t65534/);
    expect(status).toMatch(/Gid:\t65534\t65534/);
    expect(status).toMatch(/CapEff:\t0000000000000400/);
    expect(status).toMatch(/NoNewPrivs:\t1/);
    expect(status).toMatch(/Groups:\t\s*\n/);
  });

  it('refuses a bad start with a reason', () => {
    const run = (...args: string[]): { status: number | null; code: string } => {
      const result = spawnSync(NAMES, args);
      return { status: result.status, code: JSON.parse(result.stderr.toString()).code };
    };
    const pidFile = join(folder, 'other');
    expect(run()).toEqual({ status: 2, code: 'bad_request' });
    expect(run('--config', '/nonexistent/x', '--pid-file', pidFile).status).toBe(1);
    writeFileSync(join(folder, 'bad.json'), '{"clients":{"not an address":[]}}');
    expect(run('--config', join(folder, 'bad.json'), '--pid-file', pidFile)).toEqual({
      status: 1,
      code: 'invalid',
    });
    expect(existsSync(pidFile)).toBe(false);
  });
});

describe('known names', () => {
  it('gives all addresses, with the question as asked, shuffled', async () => {
    const orders = new Set<string>();
    for (let i = 0; i < 40; i++) {
      const answer = await ask({ name: 'wEB.', id: i });
      expect(answer).toMatchObject({
        id: i,
        rcode: 0,
        aa: true,
        ra: true,
        tc: false,
        question: 'wEB',
      });
      expect(answer.edns).toBeNull();
      expect(answer.answers[0]).toMatchObject({ name: 'wEB', ttl: 7 });
      expect(addresses(answer).sort()).toEqual(['10.0.1.2', '10.0.1.3', '10.0.1.4']);
      orders.add(addresses(answer).join());
    }
    orders.delete('');
    expect(orders.size).toBeGreaterThan(0);
    const firsts = new Set<string>();
    for (let i = 0; i < 60; i++) firsts.add(addresses(await ask({ name: 'web' }))[0] ?? '');
    expect(firsts.size).toBe(3);
  });

  it('answers other types with nothing, and never asks upstream', async () => {
    for (const type of [TYPE.AAAA, TYPE.TXT, 15, 2, 65])
      expect(await ask({ name: 'web', type })).toMatchObject({ rcode: 0, aa: true, answers: [] });
    expect(await ask({ name: 'none' })).toMatchObject({ rcode: 0, answers: [] });
    expect(first.seen).toEqual([]);
  });

  it('gives IPv6 addresses, and both for ANY', async () => {
    const answer = await ask({ name: 'tasks.web', type: TYPE.AAAA });
    expect(answer.answers[0]?.data.toString('hex')).toBe('fd000000000000000000000000000009');
    expect((await ask({ name: 'tasks.web', type: TYPE.ANY })).answers).toHaveLength(2);
  });

  it("takes the asking address's networks in their order", async () => {
    expect(addresses(await ask({ name: 'both' }, '127.0.0.1'))).toEqual(['10.0.1.8']);
    expect(addresses(await ask({ name: 'both' }, '127.0.0.2'))).toEqual(['10.0.2.8']);
    expect(addresses(await ask({ name: 'both' }, '127.0.0.3'))).toEqual(['10.0.2.8']);
    expect(await ask({ name: 'web' }, '127.0.0.3')).toMatchObject({ rcode: NXDOMAIN });
  });

  it('gives one address its own names for others', async () => {
    expect(addresses(await ask({ name: 'STORE' }, '127.0.0.3'))).toEqual(['10.0.2.2']);
    expect(await ask({ name: 'db' }, '127.0.0.3')).toMatchObject({ rcode: NXDOMAIN });
    expect(addresses(await ask({ name: 'db' }, '127.0.0.2'))).toEqual(['10.0.2.2']);
  });

  it('turns addresses into names', async () => {
    const name = async (question: string, source?: string): Promise<string | undefined> =>
      (await ask({ name: question, type: TYPE.PTR }, source)).answers[0]?.data.toString('hex');
    expect(await name('2.1.0.10.in-addr.arpa')).toBe(wireName('web.1.abc.front').toString('hex'));
    expect(await name('2.2.0.10.IN-ADDR.arpa')).toBe(wireName('db.1.xyz.back').toString('hex'));
    const nibbles = `9${'.0'.repeat(27)}.0.0.d.f.ip6.arpa`;
    expect(await name(nibbles)).toBe(wireName('web.2.def.front').toString('hex'));
    expect(await ask({ name: '2.1.0.10.in-addr.arpa', type: TYPE.PTR }, '127.0.0.3')).toMatchObject(
      {
        rcode: NXDOMAIN,
      },
    );
  });

  it('answers SRV with the addresses of the target', async () => {
    const answer = await ask({ name: '_http._tcp.web', type: TYPE.SRV });
    const data = answer.answers[0]?.data ?? Buffer.alloc(6);
    expect([data.readUInt16BE(0), data.readUInt16BE(2), data.readUInt16BE(4)]).toEqual([
      1, 2, 8080,
    ]);
    expect(data.subarray(6)).toEqual(wireName('web'));
    expect(answer.additional.map((item) => item.name)).toEqual(['web', 'web', 'web']);
  });

  it("keeps to the client's UDP size, says so, and gives everything over TCP", async () => {
    const plain = await ask({ name: 'many' });
    expect(plain.tc).toBe(true);
    expect(plain.bytes.length).toBeLessThanOrEqual(512);
    expect(plain.answers.length).toBeGreaterThan(25);
    const large = await ask({ name: 'many', edns: 4096 });
    expect(large.tc).toBe(true);
    expect(large.bytes.length).toBeLessThanOrEqual(1232);
    expect(large.bytes.length).toBeGreaterThan(1200);
    expect(large.edns).not.toBeNull();
    expect((await ask({ name: 'many', edns: 100 })).bytes.length).toBeGreaterThan(480);
    const [tcp] = await exchangeTcp(port, [encodeQuery({ name: 'many' })]);
    expect(tcp).toMatchObject({ tc: false });
    expect(new Set(addresses(tcp as Message)).size).toBe(400);
  });

  it('answers several questions on one TCP connection, also one that is half closed', async () => {
    const queries = Array.from({ length: 50 }, (_, id) => encodeQuery({ name: 'web', id }));
    const answers = await exchangeTcp(port, queries, { half: true });
    expect(answers.map(({ id }) => id)).toEqual(Array.from({ length: 50 }, (_, id) => id));
  });
});

describe('strangers and nonsense', () => {
  it('refuses whoever is not on the list', async () => {
    expect(await ask({ name: 'web' }, '127.0.0.4')).toMatchObject({ rcode: REFUSED, answers: [] });
    expect(await ask({ name: 'example.com' }, '127.0.0.4')).toMatchObject({ rcode: REFUSED });
    expect(first.seen).toEqual([]);
  });

  it('answers what it does not do with the right code', async () => {
    expect(await ask({ name: 'web', flags: 0x2000 })).toMatchObject({ rcode: NOTIMP });
    expect(await ask({ name: 'version.bind', type: TYPE.TXT, klass: 3 })).toMatchObject({
      rcode: REFUSED,
    });
    expect(await ask({ name: 'web', type: TYPE.AXFR })).toMatchObject({ rcode: REFUSED });
    expect(await ask({ name: 'web', edns: 1232, ednsVersion: 1 })).toMatchObject({
      rcode: BADVERS,
    });
  });

  it('survives malformed messages', async () => {
    const good = encodeQuery({ name: 'web' });
    const header = (counts: readonly number[]): Buffer => {
      const bytes = Buffer.alloc(12);
      for (const [i, value] of [1, 0x100, ...counts].entries()) bytes.writeUInt16BE(value, i * 2);
      return bytes;
    };
    const tail = Buffer.from([0, 1, 0, 1]);
    const bad: Buffer[] = [
      Buffer.concat([header([0, 0, 0, 0])]),
      Buffer.concat([header([2, 0, 0, 0]), good.subarray(12)]),
      Buffer.concat([header([1, 0, 0, 0])]),
      Buffer.concat([header([1, 0, 0, 0]), Buffer.from([0xc0, 0x0c]), tail]),
      Buffer.concat([header([1, 0, 0, 0]), Buffer.from([3, 0x77]), tail]),
      Buffer.concat([
        header([1, 0, 0, 0]),
        Buffer.from([64]),
        Buffer.alloc(64, 0x61),
        Buffer.from([0]),
        tail,
      ]),
      Buffer.concat([header([1, 0, 0, 0]), wireName(Array(64).fill('abc').join('.')), tail]),
      Buffer.concat([header([1, 0, 0, 9]), good.subarray(12)]),
      Buffer.concat([header([1, 0, 0, 2]), wireName('web'), tail, Buffer.alloc(22, 0)]),
      Buffer.concat([
        header([1, 0, 0, 1]),
        wireName('web'),
        tail,
        Buffer.from([0, 0, 41, 4, 0, 0, 0, 0, 0, 255, 255]),
      ]),
    ];
    for (const bytes of bad.slice(0, 8))
      expect(await exchange(port, bytes)).toMatchObject({ rcode: FORMERR });
    expect(await exchange(port, bad[9] ?? good)).toMatchObject({ rcode: FORMERR });
    for (const bytes of [
      Buffer.alloc(0),
      Buffer.alloc(5),
      Buffer.concat([header([1, 0, 0, 0])]).fill(0xff),
    ])
      expect(await exchange(port, bytes, { waitMs: 150 })).toBeNull();
    const socket = createSocket('udp4');
    for (let i = 0; i < 3000; i++) {
      const noise = Buffer.from(good);
      for (let k = 0; k < 3; k++)
        noise[Math.trunc(Math.random() * noise.length)] = Math.trunc(Math.random() * 256);
      socket.send(noise.subarray(0, Math.trunc(Math.random() * noise.length)), port, '127.0.0.1');
    }
    await sleep(50);
    socket.close();
    expect(addresses(await ask({ name: 'web' }))).toHaveLength(3);
  });

  it('closes TCP connections that send nonsense, and bounds how many one client has', async () => {
    expect(await exchangeTcp(port, [Buffer.alloc(5000)], { waitMs: 2000 })).toEqual([]);
    expect(await exchangeTcp(port, [Buffer.alloc(3)], { waitMs: 2000 })).toEqual([]);
    const idle = Array.from({ length: 20 }, () => connect(port, '127.0.0.1'));
    let closed = 0;
    for (const socket of idle) {
      socket.on('error', () => {});
      socket.on('close', () => closed++);
      socket.resume();
    }
    await until(() => closed >= 4);
    await sleep(100);
    expect(closed).toBeLessThan(12);
    for (const socket of idle) socket.destroy();
    await until(
      async () =>
        (await exchangeTcp(port, [encodeQuery({ name: 'web' })], { waitMs: 500 })).length === 1,
    );
  });
});

describe('unknown names', () => {
  const address = record(TYPE.A, Buffer.from([192, 0, 2, 1]));

  it('go upstream with a new id and port each, single labels too', async () => {
    first.script = (query) => [encodeAnswer(query, { records: [address] })];
    for (let id = 0; id < 20; id++) {
      const answer = await ask({ name: id % 2 ? 'example.com' : 'printer', id });
      expect(answer).toMatchObject({ id, rcode: 0, aa: false, ra: true });
      expect(addresses(answer)).toEqual(['192.0.2.1']);
    }
    const ids = new Set(first.seen.map(({ query }) => query.readUInt16BE(0)));
    expect(ids.size).toBeGreaterThan(17);
    expect(new Set(first.seen.map(({ sourcePort }) => sourcePort)).size).toBeGreaterThan(10);
  });

  it('do not leave internal networks', async () => {
    expect(await ask({ name: 'example.com' }, '127.0.0.3')).toMatchObject({ rcode: NXDOMAIN });
    expect(await ask({ name: 'example.com' }, '127.0.0.6')).toMatchObject({ rcode: NXDOMAIN });
    expect(first.seen).toEqual([]);
    first.script = (query) => [encodeAnswer(query, { records: [address] })];
    expect(await ask({ name: 'example.com' }, '127.0.0.2')).toMatchObject({ rcode: 0 });
    expect(await ask({ name: 'example.com' }, '127.0.0.5')).toMatchObject({ rcode: 0 });
  });

  it('go to the upstreams of their client where it has its own', async () => {
    second.script = (query) => [encodeAnswer(query, { records: [address] })];
    expect(addresses(await ask({ name: 'own.com' }, '127.0.0.8'))).toEqual(['192.0.2.1']);
    // Given to it by name, so also where all its networks are internal.
    expect(addresses(await ask({ name: 'own.com' }, '127.0.0.9'))).toEqual(['192.0.2.1']);
    expect(first.seen).toEqual([]);
    expect(await ask({ name: 'own.com' }, '127.0.0.4')).toMatchObject({ rcode: REFUSED });
    second.script = (query) => [encodeAnswer(query, { rcode: SERVFAIL })];
    expect(await ask({ name: 'own.com' }, '127.0.0.8')).toMatchObject({ rcode: SERVFAIL });
    expect(first.seen).toEqual([]);
  });

  it('ignore answers with another id or question', async () => {
    first.script = (query) => {
      const wrongId = encodeAnswer(query, { records: [record(TYPE.A, Buffer.from([6, 6, 6, 6]))] });
      wrongId.writeUInt16BE((wrongId.readUInt16BE(0) + 1) & 0xffff, 0);
      const other = encodeQuery({ name: 'other.com' });
      query.copy(other, 0, 0, 2);
      const wrongName = encodeAnswer(other, {
        records: [record(TYPE.A, Buffer.from([6, 6, 6, 6]))],
      });
      return [
        wrongId,
        Buffer.alloc(3),
        wrongName,
        query,
        encodeAnswer(query, { records: [address] }),
      ];
    };
    expect(addresses(await ask({ name: 'example.com' }))).toEqual(['192.0.2.1']);
  });

  it('take the next upstream after silence, failure or a closed port', async () => {
    second.script = (query) => [encodeAnswer(query, { records: [address] })];
    const begin = Date.now();
    expect(addresses(await ask({ name: 'slow.com' }))).toEqual(['192.0.2.1']);
    expect(Date.now() - begin).toBeGreaterThan(1900);
    first.script = (query) => [encodeAnswer(query, { rcode: SERVFAIL })];
    expect(addresses(await ask({ name: 'failing.com' }))).toEqual(['192.0.2.1']);
    second.script = (query) => [encodeAnswer(query, { rcode: REFUSED })];
    expect(await ask({ name: 'nobody.com' })).toMatchObject({ rcode: REFUSED });
    first.script = (query) => [encodeAnswer(query, { rcode: NXDOMAIN })];
    second.seen.length = 0;
    expect(await ask({ name: 'absent.com' })).toMatchObject({ rcode: NXDOMAIN });
    expect(second.seen).toEqual([]);
  });

  it('fail when no upstream says anything', async () => {
    const answer = await ask({ name: 'silence.com' });
    expect(answer).toMatchObject({ rcode: SERVFAIL, question: 'silence.com' });
    expect(first.seen).toHaveLength(1);
    expect(second.seen).toHaveLength(1);
  });

  it("are asked with EDNS only when the client uses it, and cut to the client's size", async () => {
    const text = record(TYPE.TXT, Buffer.concat([Buffer.from([200]), Buffer.alloc(200, 0x61)]));
    first.script = (query) => [encodeAnswer(query, { records: [text, text, text] })];
    const plain = await ask({ name: 'example.com', type: TYPE.TXT });
    expect(plain).toMatchObject({ tc: true, answers: [], edns: null });
    expect(first.seen[0]?.query.readUInt16BE(10)).toBe(0);
    const large = await ask({ name: 'example.com', type: TYPE.TXT, edns: 4096 });
    expect(large.answers).toHaveLength(3);
    expect(first.seen[1]?.query.readUInt16BE(10)).toBe(1);
    const [tcp] = await exchangeTcp(port, [encodeQuery({ name: 'example.com', type: TYPE.TXT })]);
    expect(tcp?.answers).toHaveLength(3);
    expect(first.seen[2]?.transport).toBe('tcp');
  });

  it('are bounded per client, and repeats are not sent twice', async () => {
    const socket = createSocket('udp4');
    const answers: Buffer[] = [];
    socket.on('message', (data) => answers.push(data));
    await new Promise<void>((resolve) => socket.bind(0, '127.0.0.7', () => resolve()));
    for (let id = 0; id < 130; id++) {
      const query = encodeQuery({ name: `n${id}.com`, id });
      socket.send(query, port, '127.0.0.1');
      socket.send(query, port, '127.0.0.1');
    }
    // A repeat of a refused one is refused as well.
    const refused = (): number => new Set(answers.map((bytes) => bytes.readUInt16BE(0))).size;
    await until(() => refused() >= 30);
    expect(first.seen).toHaveLength(100);
    expect(refused()).toBe(30);
    expect(answers.every((bytes) => (bytes.readUInt16BE(2) & 15) === REFUSED)).toBe(true);
    expect(addresses(await ask({ name: 'web' }))).toHaveLength(3);
    const failed = (): number =>
      answers.filter((bytes) => (bytes.readUInt16BE(2) & 15) === SERVFAIL).length;
    await until(() => failed() >= 100);
    expect(failed()).toBe(100);
    socket.close();
  });
});

describe('reload', () => {
  it('takes a new file at once, keeps the old data when it is bad, listens on new addresses', async () => {
    const names = { web: { a: ['10.5.5.5'], aaaa: [] } };
    writeConfig({ ...config, networks: { front: { internal: false, names } } });
    await until(async () => addresses(await ask({ name: 'web' })).join() === '10.5.5.5');
    stderr = '';
    writeConfig({ ...config, networks: { front: { names: { web: { a: ['nonsense'] } } } } });
    await until(() => stderr.includes('\n'));
    expect(JSON.parse(stderr)).toMatchObject({ code: 'invalid' });
    expect(stderr).toContain('nonsense');
    expect(addresses(await ask({ name: 'web' }))).toEqual(['10.5.5.5']);
    const listen = [...config.listen, { address: '127.0.0.53', port }];
    writeConfig({ ...config, listen });
    await until(async () => {
      const answer = await exchange(port, encodeQuery({ name: 'web' }), {
        server: '127.0.0.53',
        waitMs: 300,
      });
      return answer !== null;
    });
    writeConfig(config);
    await until(async () => {
      const answer = await exchange(port, encodeQuery({ name: 'web' }), {
        server: '127.0.0.53',
        waitMs: 100,
      });
      return answer === null;
    });
  });

  it('reads the file again on SIGHUP', async () => {
    writeFileSync(join(folder, 'names.json'), JSON.stringify({ ...config, ttl: 99 }));
    responder.kill('SIGHUP');
    await until(async () => (await ask({ name: 'web' })).answers[0]?.ttl === 99);
    writeConfig(config);
    await until(async () => (await ask({ name: 'web' })).answers[0]?.ttl === 7);
  });

  it('loses no question while it reads new files', async () => {
    let running = true;
    const writer = (async () => {
      while (running) {
        writeConfig(config);
        await sleep(2);
      }
    })();
    for (let i = 0; i < 300; i++) expect(addresses(await ask({ name: 'web' }))).toHaveLength(3);
    running = false;
    await writer;
  });
});

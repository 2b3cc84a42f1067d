// Goal: what containers find by name, and what they do not. Method: the real responder of a node in a namespace of its own, asked through 127.0.0.11 from
// inside containers; a second namespace has an upstream server that knows every name. Needs root.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AttachResult } from '#worker/network/types';
import {
  type Agent,
  containerId,
  eventually,
  NetworkLab,
  OUTSIDE,
} from '../support/network-lab/lab.ts';
import { container, NODE_ID, network, port, service } from '../support/network-lab/objects.ts';

const isRoot = process.getuid?.() === 0;
const SECOND_SERVER = '192.0.2.3';
const UPSTREAM_ANSWER = '203.0.113.7';
const OTHER_ANSWER = '203.0.113.8';

const NETWORKS = [
  network('front', ['10.82.1.0/24', 'fd00:82:1::/64']),
  network('back', ['10.82.2.0/24']),
  network('closed', ['10.82.3.0/24'], { internal: true }),
];

const WEB = service({
  name: 'shop_web',
  names: ['web'],
  aliases: ['www'],
  ports: [{ ...port('8080:80', 'ingress'), name: 'http' }],
  vips: { front: '10.82.1.200' },
  tasks: { web1: { front: '10.82.1.21' }, web2: { front: '10.82.1.22' } },
  elsewhere: ['web2'],
});
const DB = service({
  name: 'shop_db',
  names: ['db'],
  mode: 'dnsrr',
  vips: { back: '' },
  tasks: { db1: { back: '10.82.2.21' }, db2: { back: '10.82.2.22' }, db3: { back: '10.82.2.23' } },
  elsewhere: ['db1', 'db2', 'db3'],
  waiting: ['db3'],
});

const STATE = { nodeId: NODE_ID, networks: NETWORKS, endpoints: [WEB, DB] };

describe.skipIf(!isRoot)('names on a node', () => {
  const lab = new NetworkLab('dns');
  const at: Record<string, AttachResult> = {};
  const as: Record<string, Agent> = {};

  beforeAll(async () => {
    await lab.start();
    lab.outside(`ip addr add ${SECOND_SERVER}/24 dev in0`);
    as.outside = lab.agent('outside');
    await as.outside.ask('serveNames', { address: OUTSIDE, answer: UPSTREAM_ANSWER });
    await as.outside.ask('serveNames', { address: SECOND_SERVER, answer: OTHER_ANSWER });
    await lab.restore();
    await lab.call('setState', STATE);
    const wanted = {
      a: container(
        { front: ['10.82.1.10', 'fd00:82:1::10'] },
        { names: ['a-name'], hostname: 'a-host' },
      ),
      c: container({ back: ['10.82.2.10'] }, { names: ['c-name'] }),
      e: container({ front: ['10.82.1.12'], back: ['10.82.2.12'] }, { names: ['e-name'] }),
      d: container({ closed: ['10.82.3.10'] }, { names: ['d-name'] }),
      own: container(
        { front: ['10.82.1.13'] },
        {
          names: ['own'],
          dns: { nameservers: [SECOND_SERVER], search: ['example.org'], options: ['timeout:1'] },
        },
      ),
      web1: container({ front: ['10.82.1.21'] }, { taskId: 'web1', names: ['web-container'] }),
    };
    for (const [name, request] of Object.entries(wanted)) {
      const result = await lab.attach(name, request);
      at[name] = result;
      as[name] = lab.agent(result.netnsPath);
    }
  });
  afterAll(() => lab.destroy());

  function who(name: string): Agent {
    const agent = as[name];
    if (!agent) throw new Error(`no ${name}`);
    return agent;
  }

  it('resolv.conf names the node’s resolver alone', () => {
    expect(at.a?.resolvConf).toBe('nameserver 127.0.0.11\noptions ndots:0\n');
    expect(at.own?.resolvConf).toBe(
      'nameserver 127.0.0.11\nsearch example.org\noptions timeout:1 ndots:0\n',
    );
  });

  it('services answer with their virtual address, by each of their names', async () => {
    for (const name of ['shop_web', 'web', 'www', 'WEB', 'web.']) {
      expect(await who('a').resolve(name)).toEqual(['10.82.1.200']);
    }
    expect(await who('a').resolve('web', 'AAAA')).toBe('ENODATA');
  });

  it('tasks.SERVICE answers with the tasks', async () => {
    const found = (await who('a').resolve('tasks.web')) as string[];
    expect(found.sort()).toEqual(['10.82.1.21', '10.82.1.22']);
  });

  it('services without a virtual address answer with the tasks that serve', async () => {
    const found = (await who('c').resolve('db')) as string[];
    expect(found.sort()).toEqual(['10.82.2.21', '10.82.2.22']);
  });

  it('containers and tasks answer by name, also with IPv6', async () => {
    expect(await who('e').resolve('a-name')).toEqual(['10.82.1.10']);
    expect(await who('e').resolve('a-host')).toEqual(['10.82.1.10']);
    expect(await who('e').resolve('a-name', 'AAAA')).toEqual(['fd00:82:1::10']);
    expect(await who('a').resolve('shop_web.1.web1')).toEqual(['10.82.1.21']);
    expect(await who('a').resolve('web-container')).toEqual(['10.82.1.21']);
  });

  it('addresses answer with names', async () => {
    expect(await who('e').resolve('10.82.1.10', 'PTR')).toEqual(['a-name']);
    expect(await who('e').resolve('fd00:82:1::10', 'PTR')).toEqual(['a-name']);
    expect(await who('a').resolve('10.82.1.200', 'PTR')).toEqual(['shop_web']);
    expect(await who('a').resolve('10.82.1.22', 'PTR')).toEqual(['shop_web.2.web2']);
  });

  it('ports that have a name answer with where they are', async () => {
    expect(await who('a').resolve('_http._tcp.web', 'SRV')).toMatchObject([
      { name: 'web', port: 80, priority: 0, weight: 0 },
    ]);
    const tasks = (await who('a').resolve('_http._tcp.tasks.web', 'SRV')) as { name: string }[];
    expect(tasks.map(({ name }) => name).sort()).toEqual(['shop_web.1.web1', 'shop_web.2.web2']);
    expect(await who('a').resolve('_http._tcp.web')).toBe('ENODATA');
  });

  it('names of networks that the asker is not on are not ours to tell', async () => {
    await who('outside').ask('asked');
    expect(await who('a').resolve('db')).toEqual([UPSTREAM_ANSWER]);
    expect(await who('c').resolve('web')).toEqual([UPSTREAM_ANSWER]);
    expect((await who('outside').ask('asked')).names).toEqual(['db', 'web']);
    const both = (await who('e').resolve('db')) as string[];
    expect(both.sort()).toEqual(['10.82.2.21', '10.82.2.22']);
    expect(await who('e').resolve('web')).toEqual(['10.82.1.200']);
  });

  it('unknown names go to the host’s servers, or to the container’s own', async () => {
    expect(await who('a').resolve('example.com')).toEqual([UPSTREAM_ANSWER]);
    expect(await who('own').resolve('example.com')).toEqual([OTHER_ANSWER]);
    expect(await who('own').resolve('web')).toEqual(['10.82.1.200']);
  });

  it('on an internal network only its own names exist', async () => {
    await who('outside').ask('asked');
    expect(await who('d').resolve('d-name')).toEqual(['10.82.3.10']);
    expect(await who('d').resolve('example.com')).toBe('ENOTFOUND');
    expect((await who('outside').ask('asked')).names).toEqual([]);
  });

  it('answers over TCP, and to nobody by the resolver’s real address', async () => {
    const netns = at.a?.netnsPath ?? '';
    expect(lab.inside(netns, 'dig +tcp +short +time=2 +tries=1 @127.0.0.11 web').trim()).toBe(
      '10.82.1.200',
    );
    const listen = JSON.parse(readFileSync(join(lab.folder, 'run/names/names.json'), 'utf8')) as {
      listen: { address: string }[];
    };
    const address = listen.listen[0]?.address ?? '';
    expect((await who('a').ask('resolve', { name: 'web', server: address })).error).toBe(
      'ETIMEOUT',
    );
  });

  it('answers many questions at once from one socket', async () => {
    const names = ['web', 'tasks.web', 'a-name', 'e-name', 'www'];
    const all = Array.from({ length: 200 }, (_, i) => who('a').resolve(names[i % 5] ?? ''));
    for (const found of await Promise.all(all)) expect(Array.isArray(found)).toBe(true);
  });

  it('answers others while one container asks 10,000 times a second', async () => {
    const pid = readFileSync(join(lab.folder, 'run/names/names.pid'), 'utf8');
    let isOver = false;
    const flood = who('e')
      .ask('flood', { names: ['web', 'elsewhere.example'], perSecond: 10_000, ms: 1_000 })
      .finally(() => {
        isOver = true;
      });
    let asked = 0;
    for (; !isOver; asked += 2) {
      expect(await who('a').resolve('web')).toEqual(['10.82.1.200']);
      expect(await who('own').resolve('example.com')).toEqual([OTHER_ANSWER]);
    }
    const { sent, answered } = (await flood) as { sent: number; answered: number };
    expect(asked).toBeGreaterThan(2);
    expect(sent).toBeGreaterThan(5_000);
    // What is known is answered; of the rest, what is too much is refused at once.
    expect(answered).toBeGreaterThan(sent / 4);
    expect(readFileSync(join(lab.folder, 'run/names/names.pid'), 'utf8')).toBe(pid);
  });

  it('answers nobody who says that he is another container, and nothing that is too large', async () => {
    const netns = at.a?.netnsPath ?? '';
    lab.inside(netns, 'ip addr add 10.82.1.12/32 dev eth0');
    const dig = (from: string): string =>
      lab.inside(netns, `dig -b ${from} +short +time=1 +tries=1 @127.0.0.11 web || true`).trim();
    expect(dig('10.82.1.10')).toBe('10.82.1.200');
    expect(dig('10.82.1.12')).not.toContain('10.82.1.200');
    lab.inside(netns, 'ip addr del 10.82.1.12/32 dev eth0');
    for (const bytes of [4_097, 60_000]) {
      const send = `head -c ${bytes} /dev/zero | timeout 1 bash -c "cat > /dev/udp/127.0.0.11/53"`;
      lab.inside(netns, `${send} || true`);
    }
    lab.inside(
      netns,
      'head -c 70000 /dev/zero | timeout 1 bash -c "cat > /dev/tcp/127.0.0.11/53" || true',
    );
    expect(await who('a').resolve('web')).toEqual(['10.82.1.200']);
  });

  it('goes on while the worker is away', async () => {
    await lab.stopNode('SIGKILL');
    expect(await who('a').resolve('web')).toEqual(['10.82.1.200']);
    expect(await who('a').resolve('example.com')).toEqual([UPSTREAM_ANSWER]);
    await lab.startNode();
    const answers = lab.restore(Object.keys(at), STATE);
    expect(await who('a').resolve('web')).toEqual(['10.82.1.200']);
    await answers;
    expect(await who('a').resolve('e-name')).toEqual(['10.82.1.12']);
    expect(await who('a').resolve('web-container')).toEqual(['10.82.1.21']);
  });

  it('follows containers: a new one is known, one that went is not', async () => {
    const started = performance.now();
    await lab.attach('late', container({ front: ['10.82.1.50'] }, { names: ['late'] }));
    await eventually(
      async () => JSON.stringify(await who('a').resolve('late')) === '["10.82.1.50"]',
    );
    expect(performance.now() - started).toBeLessThan(500);
    await lab.detach('late');
    await eventually(
      async () => JSON.stringify(await who('a').resolve('late')) === `["${UPSTREAM_ANSWER}"]`,
    );
  });

  it('follows connecting and disconnecting of a running container', async () => {
    const id = containerId('c');
    await lab.call('connect', id, {
      networkId: 'front',
      addresses: ['10.82.1.60'],
      aliases: ['c-alias'],
      gwPriority: 10,
    });
    await eventually(
      async () => JSON.stringify(await who('c').resolve('web')) === '["10.82.1.200"]',
    );
    expect(await who('e').resolve('c-alias')).toEqual(['10.82.1.60']);
    // With the higher priority it has the default route; without it, names must still be found.
    expect(lab.inside(at.c?.netnsPath ?? '', 'ip route show default')).toContain('dev eth1');
    await lab.call('disconnect', id, 'front');
    expect(lab.inside(at.c?.netnsPath ?? '', 'ip route show default')).toContain('dev eth0');
    await eventually(
      async () => JSON.stringify(await who('c').resolve('web')) === `["${UPSTREAM_ANSWER}"]`,
    );
    expect(((await who('c').resolve('db')) as string[]).length).toBe(2);
  });

  it('uses other host servers as soon as the host does', async () => {
    lab.host(`echo nameserver ${SECOND_SERVER} > /etc/resolv.conf`);
    await eventually(
      async () => JSON.stringify(await who('a').resolve('example.net')) === `["${OTHER_ANSWER}"]`,
    );
    // Once more: a watch of the file alone would be used up.
    lab.host(`echo nameserver ${OUTSIDE} > /etc/resolv.conf`);
    await eventually(
      async () =>
        JSON.stringify(await who('a').resolve('example.net')) === `["${UPSTREAM_ANSWER}"]`,
    );
  });

  it('has a responder again when it dies', async () => {
    const before = readFileSync(join(lab.folder, 'run/names/names.pid'), 'utf8');
    lab.host(`kill -9 ${before.split(' ')[0]}`);
    await eventually(
      async () => JSON.stringify(await who('a').resolve('web')) === '["10.82.1.200"]',
      2_000,
    );
    expect(readFileSync(join(lab.folder, 'run/names/names.pid'), 'utf8')).not.toBe(before);
  });
});

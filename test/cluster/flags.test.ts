// Goal: the flags of a cluster's commands do what they say. Method: real daemons in a lab; each flag is looked at where it has its effect: sockets that
// listen, certificates on disk, files of the manager, what the API and `node ls` show.
// Longer than 500 lines because one real cluster, which takes seconds to make, serves all of its tests.
import { X509Certificate } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect } from 'vitest';
import type { Lab } from '../support/cluster-lab/lab.ts';
import { flagTest } from '../support/flag-tests.ts';
import { RegisterClients } from '../support/register-clients.ts';
import type { Result } from '../support/test-node.ts';
import { until } from '../support/test-node.ts';
import { liveManagers, newLab, nodesOf, rowOf, untilNodes } from './cluster.ts';

interface Swarm {
  readonly DefaultAddrPool: readonly string[];
  readonly SubnetSize: number;
  readonly DataPathPort: number;
  readonly Spec: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  readonly JoinTokens: { readonly Worker: string; readonly Manager: string };
  readonly TLSInfo: { readonly TrustRoot: string };
}

let lab: Lab;
const swarm = (name: string): Promise<Swarm> => lab.api(name, '/swarm');

/** Sockets that listen on a node, as `address:port`. */
async function listening(name: string): Promise<readonly string[]> {
  const { stdout } = await lab.exec(name, ['ss', '-Hltn']);
  return stdout.split('\n').map((line) => line.trim().split(/\s+/)[3] ?? '');
}

function certificateOf(name: string): X509Certificate {
  const path = join(lab.paths(name).dataRoot, 'identity/node.json');
  const { certificate } = JSON.parse(readFileSync(path, 'utf8')) as { certificate: string };
  return new X509Certificate(certificate);
}

function lifeHours(certificate: X509Certificate): number {
  return (certificate.validToDate.getTime() - certificate.validFromDate.getTime()) / 3_600_000;
}

function refused(result: Result, text: string): void {
  expect([result.code, result.stderr]).toEqual([1, expect.stringContaining(text)]);
}

beforeAll(async () => {
  lab = newLab();
  await lab.makeNetwork();
  for (const name of ['a', 'b', 'c']) {
    lab.addHost(name);
    await lab.start(name);
  }
});
afterAll(() => lab.down());

describe('a cluster of one', () => {
  afterEach(async () => {
    for (const name of ['a', 'b']) await lab.tswarm(name, ['leave', '--force']);
  });

  flagTest(
    'tswarm init',
    ['--listen-addr', '--advertise-addr'],
    'where it listens, what it tells',
    async () => {
      const { address } = lab.node('a');
      const flags = ['--listen-addr', `${address}:4444`, '--advertise-addr', 'eth0:4444'];
      const out = await lab.ok('a', ['init', ...flags]);
      expect(out).toContain(` ${address}:4444\n`);
      const sockets = await listening('a');
      expect(sockets).toContain(`${address}:4444`);
      expect(sockets).toContain(`${address}:4445`);
    },
  );

  flagTest(
    'tswarm init',
    ['--default-addr-pool', '--default-addr-pool-mask-length'],
    'networks are cut from it',
    async () => {
      const pool = ['--default-addr-pool', '10.77.0.0/16', '--default-addr-pool-mask-length', '28'];
      await lab.ok('a', ['init', ...pool]);
      const made = await lab.exec('a', ['docker', 'network', 'create', '-d', 'overlay', 'one']);
      expect(made.code).toBe(0);
      const networks = await lab.api<{ IPAM: { Config: { Subnet: string }[] }; Name: string }[]>(
        'a',
        `/networks?filters=${encodeURIComponent('{"name":["one"]}')}`,
      );
      // The filter takes any name with it: "none" has it, too.
      const network = networks.find(({ Name }) => Name === 'one');
      expect(network?.IPAM.Config[0]?.Subnet).toMatch(/^10\.77\.\d+\.\d+\/28$/);
    },
  );

  flagTest('tswarm init', ['--availability', '--data-path-port'], 'both count', async () => {
    await lab.ok('a', ['init', '--availability', 'drain', '--data-path-port', '4999']);
    await lab.join('b', await lab.token('a', 'worker'), 'a');
    expect(rowOf(await nodesOf(lab, 'a'), 'a').Availability).toBe('Drain');
    expect((await swarm('a')).DataPathPort).toBe(4999);
    const ports = async () => {
      const nodes = await lab.api<{ Description: { MeshPort?: number } }[]>('a', '/nodes');
      return nodes.map(({ Description }) => Description.MeshPort);
    };
    await until(async () => JSON.stringify(await ports()) === '[4999,4999]', 10_000);
  });

  flagTest('tswarm init', ['--cert-expiry'], 'certificates live as long', async () => {
    await lab.ok('a', ['init', '--cert-expiry', '48h']);
    await lab.join('b', await lab.token('a', 'worker'), 'a');
    // Valid from an hour ago.
    expect(lifeHours(certificateOf('b'))).toBeCloseTo(49, 0);
  });

  flagTest(
    'tswarm init',
    ['--dispatcher-heartbeat', '--task-history-limit'],
    'are settings of the cluster',
    async () => {
      await lab.ok('a', ['init', '--dispatcher-heartbeat', '500ms', '--task-history-limit', '2']);
      const { Spec } = await swarm('a');
      expect(Spec.Dispatcher?.HeartbeatPeriod).toBe(500_000_000);
      expect(Spec.Orchestration?.TaskHistoryRetentionLimit).toBe(2);
      await lab.join('b', await lab.token('a', 'worker'), 'a');
      await untilNodes(lab, 'a', (rows) => rowOf(rows, 'b').Status === 'Ready');
      await lab.kill('b');
      // Three periods, and what a busy machine adds: with the default of 2 s it would be six.
      const started = performance.now();
      await untilNodes(lab, 'a', (rows) => rowOf(rows, 'b').Status === 'Down');
      expect(performance.now() - started).toBeLessThan(5_000);
      await lab.start('b');
    },
  );

  flagTest(
    'tswarm init',
    ['--snapshot-interval'],
    'the manager makes snapshots as often',
    async () => {
      await lab.ok('a', ['init', '--snapshot-interval', '100']);
      const folder = join(lab.paths('a').dataRoot, 'manager/raft');
      const snapshots = (): number =>
        readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter(
          (name) => /snap/.test(name) && /\d/.test(name),
        ).length;
      const before = snapshots();
      // A few hundred changes, each one an entry of the log.
      const clients = new RegisterClients([lab.paths('a').socket], 2);
      await clients.prepare();
      clients.start(4);
      await until(
        () => snapshots() > before,
        60_000,
        () => readdirSync(folder, { recursive: true, encoding: 'utf8' }).join('\n'),
      );
      await clients.stop();
    },
  );

  flagTest(
    'tswarm init',
    ['--data-path-addr', '--external-ca', '--max-snapshots'],
    'are refused by name, and leave nothing',
    async () => {
      refused(await lab.tswarm('a', ['init', '--data-path-addr', '1.2.3.4']), '--data-path-addr');
      refused(await lab.tswarm('a', ['init', '--external-ca', 'protocol=cfssl']), '--external-ca');
      refused(await lab.tswarm('a', ['init', '--max-snapshots', '2']), 'KeepOldSnapshots');
      expect(existsSync(join(lab.paths('a').dataRoot, 'node.json'))).toBe(false);
    },
  );

  flagTest(
    'tswarm init',
    ['--autolock'],
    'the manager waits for the key after a restart',
    async () => {
      const out = await lab.ok('a', ['init', '--autolock']);
      const key = /SWMKEY-1-\S+/.exec(out)?.[0] ?? '';
      expect(key).not.toBe('');
      await lab.kill('a');
      await lab.start('a');
      await until(
        async () => (await lab.ok('a', ['info'])).includes('Cluster: locked'),
        20_000,
        () => lab.log('a').slice(-2000),
      );
      refused(await lab.tswarm('a', ['node', 'ls']), 'Swarm is encrypted and needs to be unlocked');
      refused(await lab.tswarm('a', ['unlock'], { input: 'SWMKEY-1-AAAA' }), 'unlock key');
      await lab.ok('a', ['unlock'], { input: `${key}\n` });
      await untilNodes(lab, 'a', (rows) => rowOf(rows, 'a').Status === 'Ready');
      // Who is to go on alone needs the key, too, and then does.
      const alone = await lab.tswarm('a', ['init', '--force-new-cluster']);
      refused(alone, 'this manager is locked: it waits for the unlock key');
      await lab.ok('a', ['unlock'], { input: `${key}\n` });
      await untilNodes(lab, 'a', (rows) => rowOf(rows, 'a').Status === 'Ready');
    },
  );

  flagTest('tswarm leave', ['--force'], 'the last manager goes only with it', async () => {
    await lab.ok('a', ['init']);
    refused(
      await lab.tswarm('a', ['leave']),
      'Removing the last manager erases all current state of the swarm.',
    );
    await lab.ok('a', ['leave', '--force']);
    expect(existsSync(join(lab.paths('a').dataRoot, 'manager'))).toBe(false);
  });

  flagTest(
    'tswarm restore',
    ['--advertise-addr', '--listen-addr', '--unlock-key'],
    'a locked cluster on another host',
    async () => {
      const out = await lab.ok('a', ['init', '--autolock']);
      const key = /SWMKEY-1-\S+/.exec(out)?.[0] ?? '';
      await lab.ok('a', ['node', 'update', '--label-add', 'kept=yes', 'self']);
      const file = join(lab.folder, 'backup');
      await lab.ok('a', ['backup', file]);
      const { address } = lab.node('b');
      const flags = ['--advertise-addr', address, '--listen-addr', `${address}:5555`];
      refused(await lab.tswarm('b', ['restore', ...flags, file]), 'key');
      await lab.ok('b', ['restore', ...flags, '--unlock-key', file], { input: key });
      expect(await listening('b')).toContain(`${address}:5555`);
      const labels = await lab.ok('b', [
        'node',
        'inspect',
        'self',
        '--format',
        '{{json .Spec.Labels}}',
      ]);
      expect(JSON.parse(labels)).toEqual({ kept: 'yes' });
      expect((await swarm('b')).JoinTokens).toEqual((await swarm('a')).JoinTokens);
    },
  );
});

describe('a cluster of three', () => {
  beforeAll(async () => {
    await lab.initCluster('a');
  });

  flagTest(
    'tswarm join',
    ['--token', '--listen-addr', '--advertise-addr', '--availability'],
    'as a manager',
    async () => {
      const { address } = lab.node('b');
      const token = await lab.token('a', 'manager');
      const places = ['--listen-addr', `${address}:3333`, '--advertise-addr', `${address}:3333`];
      await lab.ok('b', [
        'join',
        '--token',
        token,
        ...places,
        '--availability',
        'pause',
        `${lab.node('a').address}:2377`,
      ]);
      const rows = await untilNodes(lab, 'a', (found) => liveManagers(found).length === 2);
      expect(rowOf(rows, 'b').Availability).toBe('Pause');
      expect(await listening('b')).toContain(`${address}:3333`);
      const addr = await lab.ok('a', [
        'node',
        'inspect',
        'b',
        '--format',
        '{{.ManagerStatus.Addr}}',
      ]);
      expect(addr).toBe(`${address}:3333\n`);
    },
  );

  flagTest('tswarm join', ['--data-path-addr'], 'is refused by name', async () => {
    const flags = ['--token', 'x', '--data-path-addr', '1.2.3.4'];
    refused(await lab.tswarm('c', ['join', ...flags, '192.168.177.10']), '--data-path-addr');
  });

  flagTest(
    'tswarm join-token',
    ['--quiet', '--rotate'],
    'another token, and nothing else',
    async () => {
      const before = await lab.ok('a', ['join-token', '-q', 'worker']);
      const after = await lab.ok('b', ['join-token', '--rotate', '--quiet', 'worker']);
      expect([before, after]).toEqual([
        expect.stringMatching(/^SWMTKN-1-\w{50}-\w{25}\n$/),
        expect.stringMatching(/^SWMTKN-1-\w{50}-\w{25}\n$/),
      ]);
      expect(after).not.toBe(before);
      refused(
        await lab.tswarm('c', ['join', '--token', before.trim(), lab.node('a').address]),
        'join token',
      );
      await lab.join('c', after.trim(), 'a');
    },
  );

  flagTest(
    'tswarm update',
    ['--cert-expiry', '--dispatcher-heartbeat', '--task-history-limit', '--snapshot-interval'],
    'change what they name',
    async () => {
      const flags = ['--cert-expiry', '100h', '--dispatcher-heartbeat', '3s'];
      await lab.ok('b', [
        'update',
        ...flags,
        '--task-history-limit',
        '1',
        '--snapshot-interval',
        '300',
      ]);
      const { Spec } = await swarm('a');
      expect(Spec).toMatchObject({
        CAConfig: { NodeCertExpiry: 360_000_000_000_000 },
        Dispatcher: { HeartbeatPeriod: 3_000_000_000 },
        Orchestration: { TaskHistoryRetentionLimit: 1 },
        Raft: { SnapshotInterval: 300 },
      });
      refused(
        await lab.tswarm('b', ['update', '--cert-expiry', '59m']),
        'minimum certificate expiry',
      );
    },
  );

  flagTest(
    'tswarm update',
    ['--max-snapshots', '--external-ca'],
    'are refused by name',
    async () => {
      refused(await lab.tswarm('a', ['update', '--max-snapshots', '2']), 'KeepOldSnapshots');
      refused(await lab.tswarm('a', ['update', '--external-ca', 'x']), '--external-ca');
    },
  );

  flagTest(
    'tswarm ca',
    ['--rotate', '--detach', '--quiet', '--cert-expiry'],
    'every node gets a certificate of a new root',
    async () => {
      const before = await lab.ok('a', ['ca']);
      const serials = ['a', 'b', 'c'].map((name) => certificateOf(name).serialNumber);
      const after = await lab.ok('a', ['ca', '--rotate', '--quiet', '--cert-expiry', '72h']);
      expect(after).toMatch(/^-----BEGIN CERTIFICATE-----/);
      expect(after).not.toBe(before);
      const root = new X509Certificate(after);
      for (const [index, name] of ['a', 'b', 'c'].entries()) {
        const own = certificateOf(name);
        expect(own.serialNumber).not.toBe(serials[index]);
        expect(own.verify(root.publicKey)).toBe(true);
        expect(lifeHours(own)).toBeCloseTo(73, 0);
      }
      await untilNodes(lab, 'b', (rows) => rows.every((row) => row.Status === 'Ready'));
      expect(await lab.ok('a', ['ca', '--rotate', '--detach'])).toBe('');
      await until(async () => (await lab.ok('a', ['ca'])) !== after, 30_000);
    },
  );

  flagTest(
    'tswarm ca',
    ['--ca-cert', '--ca-key', '--external-ca'],
    'the root that is given',
    async () => {
      const [cert, key] = [join(lab.folder, 'root.pem'), join(lab.folder, 'root.key')];
      const subject = ['-subj', '/CN=swarm-ca', '-days', '3650'];
      const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
      const extensions = ['-addext', 'keyUsage=critical,keyCertSign,cRLSign'];
      const made = await lab.exec('a', [
        'openssl',
        'req',
        '-x509',
        ...curve,
        ...subject,
        ...extensions,
        '-keyout',
        key,
        '-out',
        cert,
      ]);
      expect(made.code).toBe(0);
      refused(await lab.tswarm('a', ['ca', '--rotate', '--ca-cert', cert]), '--ca-key');
      refused(await lab.tswarm('a', ['ca', '--external-ca', 'x']), '--rotate');
      const after = await lab.ok('a', ['ca', '--rotate', '--ca-cert', cert, '--ca-key', key]);
      expect(new X509Certificate(after).fingerprint256).toBe(
        new X509Certificate(readFileSync(cert, 'utf8')).fingerprint256,
      );
    },
  );

  flagTest('tswarm unlock-key', ['--quiet', '--rotate'], 'the key, and another one', async () => {
    refused(await lab.tswarm('a', ['unlock-key', '-q']), 'no unlock key is set');
    await lab.ok('a', ['update', '--autolock']);
    const first = await lab.ok('a', ['unlock-key', '--quiet']);
    const second = await lab.ok('a', ['unlock-key', '--rotate', '--quiet']);
    expect([first, second]).toEqual([
      expect.stringMatching(/^SWMKEY-1-\S+\n$/),
      expect.stringMatching(/^SWMKEY-1-\S+\n$/),
    ]);
    expect(second).not.toBe(first);
    expect(await lab.ok('b', ['unlock-key'])).toContain(second.trim());
  });

  flagTest('tswarm update', ['--autolock'], 'off again: a manager starts by itself', async () => {
    await lab.ok('a', ['update', '--autolock=false']);
    // Said once it is committed; each manager opens its files after that, and one killed before asks for the key once more.
    const key = join(lab.paths('b').dataRoot, 'manager/certificates/manager.key');
    await until(async () => readFileSync(key, 'utf8').includes('PRIVATE KEY'), 30_000);
    await lab.kill('b');
    await lab.start('b');
    await untilNodes(lab, 'b', (rows) => liveManagers(rows).length === 2);
  });

  flagTest(
    'tswarm node ls',
    ['--filter', '--format', '--quiet', '--json'],
    'which, and how',
    async () => {
      const rows = await nodesOf(lab, 'a');
      const worker = rowOf(rows, 'c').ID;
      expect(await lab.ok('a', ['node', 'ls', '--filter', 'role=worker', '--quiet'])).toBe(
        `${worker}\n`,
      );
      expect(
        await lab.ok('a', ['node', 'ls', '--filter', 'name=c', '--format', '{{.Hostname}}']),
      ).toBe('c\n');
      const json = await lab.ok('a', ['node', 'ls', '--json', '--filter', `id=${worker}`]);
      expect(JSON.parse(json)).toMatchObject({ ID: worker, Hostname: 'c', Self: false });
    },
  );

  flagTest(
    'tswarm node inspect',
    ['--format', '--pretty'],
    'one value, or for people',
    async () => {
      expect(await lab.ok('a', ['node', 'inspect', 'c', '--format', '{{.Spec.Role}}'])).toBe(
        'worker\n',
      );
      // What was asked for before may have moved the leadership; meanwhile nobody's state is known.
      let text = '';
      await until(
        async () => {
          text = await lab.ok('a', ['node', 'inspect', '--pretty', 'b']);
          return /^ Raft Status:\t\tReachable$/m.test(text);
        },
        20_000,
        () => text,
      );
      expect(text).toMatch(/^Hostname: +\tb$/m);
    },
  );

  flagTest(
    'tswarm node update',
    ['--availability', '--label-add', '--label-rm', '--role'],
    'change the node',
    async () => {
      await lab.ok('a', [
        'node',
        'update',
        '--availability',
        'drain',
        '--label-add',
        'x=1',
        '--label-add',
        'y',
        'c',
      ]);
      await lab.ok('a', ['node', 'update', '--label-rm', 'x', 'c']);
      const spec = await lab.ok('a', ['node', 'inspect', 'c', '--format', '{{json .Spec}}']);
      expect(JSON.parse(spec)).toMatchObject({ Labels: { y: '' }, Availability: 'drain' });
      refused(await lab.tswarm('a', ['node', 'update', '--label-rm', 'x', 'c']), "doesn't exist");
      await lab.ok('a', ['node', 'update', '--role', 'manager', 'c']);
      await untilNodes(lab, 'a', (rows) => liveManagers(rows).length === 3);
      await lab.ok('a', ['node', 'update', '--role', 'worker', '--availability', 'active', 'c']);
      await untilNodes(lab, 'a', (rows) => liveManagers(rows).length === 2);
    },
  );

  flagTest(
    'tswarm node ps',
    ['--filter', '--format', '--no-resolve', '--no-trunc', '--quiet', '--json'],
    'the tasks of a node',
    async () => {
      await lab.importBusybox(['a', 'c']);
      const constraint = ['--constraint', 'node.hostname==c'];
      const made = await lab.exec('a', [
        'docker',
        'service',
        'create',
        '-d',
        '--name',
        'sleeper',
        ...constraint,
        'busybox:test',
        'sleep',
        '1000',
      ]);
      expect(made.code).toBe(0);
      await until(async () => (await lab.ok('a', ['node', 'ps', 'c'])).includes('Running'), 30_000);
      const id = (await lab.ok('a', ['node', 'ps', '--quiet', '--no-trunc', 'c'])).trim();
      expect(id).toMatch(/^[0-9a-z]{25}$/);
      expect(await lab.ok('a', ['node', 'ps', '--filter', 'name=other', '--quiet', 'c'])).toBe('');
      const node = rowOf(await nodesOf(lab, 'a'), 'c').ID;
      const format = ['--format', '{{.Name}} {{.Node}}'];
      expect(await lab.ok('a', ['node', 'ps', ...format, '--no-resolve', 'c'])).toBe(
        `sleeper.1 ${node}\n`,
      );
      expect(await lab.ok('a', ['node', 'ps', ...format, 'c'])).toBe('sleeper.1 c\n');
      expect(JSON.parse(await lab.ok('a', ['node', 'ps', '--json', 'c']))).toMatchObject({
        Name: 'sleeper.1',
      });
      expect(await lab.ok('a', ['node', 'ps'])).not.toContain('sleeper');
    },
  );

  flagTest('tswarm node rm', ['--force'], 'a node that lives', async () => {
    const { ID } = rowOf(await nodesOf(lab, 'a'), 'c');
    refused(await lab.tswarm('a', ['node', 'rm', ID]), "is not down and can't be removed");
    await lab.ok('a', ['node', 'rm', '--force', ID]);
    expect((await nodesOf(lab, 'a')).map((row) => row.Hostname)).toEqual(['a', 'b']);
  });

  flagTest('tswarm init', ['--force-new-cluster'], 'the survivor goes on alone', async () => {
    await lab.kill('b');
    // At first it still thinks that it leads, and cannot say whether a change will be there.
    await until(
      async () => {
        const result = await lab.tswarm('a', ['node', 'update', '--label-add', 'q=lost', 'a']);
        expect(result.code).toBe(1);
        return result.stderr.includes('does not have a leader');
      },
      30_000,
      () => lab.log('a').slice(-2000),
    );
    await lab.ok('a', ['init', '--force-new-cluster']);
    await lab.ok('a', ['node', 'update', '--label-add', 'q=found', 'a']);
    expect(liveManagers(await nodesOf(lab, 'a'))).toEqual(['a']);
    await lab.start('b');
    // It comes back as a worker, with an empty hand.
    await until(
      () => !existsSync(join(lab.paths('b').dataRoot, 'manager')),
      30_000,
      () => lab.log('b').slice(-2000),
    );
    refused(await lab.tswarm('b', ['init', '--force-new-cluster']), 'this node is not a manager');
  });
});

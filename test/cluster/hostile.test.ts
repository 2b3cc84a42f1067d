// Goal: what a cluster does with input that no honest node sends: a node's identity on two hosts, certificates that have run out, garbage, oversized and slow
// requests on its ports. Nothing is lost, no process ends, and who can do something about it is told.
import { createHash } from 'node:crypto';
import { cpSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Lab } from '../support/cluster-lab/lab.ts';
import { controlPids } from '../support/cluster-lab/state.ts';
import { until } from '../support/test-node.ts';
import { labUp, liveManagers, nodesOf, rowOf, untilNodes } from './cluster.ts';

let lab: Lab;
beforeAll(async () => {
  lab = await labUp({ managers: 2, workers: 1 });
});
afterAll(() => lab?.down());

interface Swarm {
  readonly LocalNodeState: string;
  readonly Error: string;
  readonly NodeID: string;
}

async function swarmOf(name: string): Promise<Swarm> {
  return JSON.parse(await lab.ok(name, ['info', '--format', '{{json .Swarm}}'])) as Swarm;
}

describe('the identity of a node on a second host', () => {
  beforeAll(() => {
    lab.addHost('copy');
    const [from, to] = [lab.paths('w1').dataRoot, lab.paths('copy').dataRoot];
    mkdirSync(join(to, 'identity'), { recursive: true });
    for (const name of ['node.json', 'identity/node.json'])
      cpSync(join(from, name), join(to, name));
  });

  it('is refused while the first lives, with where that is; the first notices nothing', async () => {
    await lab.start('copy');
    await until(
      async () => (await swarmOf('copy')).Error.includes('same identity'),
      20_000,
      () => lab.log('copy').slice(-2000),
    );
    const copy = await swarmOf('copy');
    expect(copy.LocalNodeState).toBe('pending');
    expect(copy.Error).toMatch(
      /is in session from 192\.168\.177\.12: two hosts have the same identity/,
    );
    const row = rowOf(await nodesOf(lab, 'm1'), 'w1');
    expect([row.ID, row.Status]).toEqual([copy.NodeID, 'Ready']);
    expect(lab.log('w1')).not.toContain('session ended');
    const address = ['node', 'inspect', row.ID, '--format', '{{.Status.Addr}}'];
    expect(await lab.ok('m1', address)).toBe('192.168.177.12\n');
  });

  it('leaves and joins as a node of its own', async () => {
    await lab.ok('copy', ['leave', '--force']);
    await lab.join('copy', await lab.token('m1', 'worker'), 'm1');
    await untilNodes(lab, 'm1', (rows) => rowOf(rows, 'copy').Status === 'Ready');
  });
});

it('a certificate past four fifths of its life is renewed once, and the session goes on', async () => {
  const serial = async (): Promise<string> => {
    const path = join(lab.paths('copy').dataRoot, 'identity/node.json');
    return createHash('sha256').update(readFileSync(path)).digest('hex');
  };
  const before = await serial();
  await lab.stop('copy');
  const from = lab.log('copy').length;
  await lab.start('copy', [], { clockOffsetS: 80 * 86_400 });
  const written = (): string => lab.log('copy').slice(from);
  await until(
    () => written().includes('certificate renewed') && written().includes('session='),
    20_000,
    written,
  );
  await new Promise((resolve) => setTimeout(resolve, 3_000));
  expect(await serial()).not.toBe(before);
  expect(written().match(/certificate renewed/g)).toHaveLength(1);
  expect(written()).not.toMatch(/session ended.*hadSession=true/);
  await lab.stop('copy');
  await lab.start('copy');
  await untilNodes(lab, 'm1', (rows) => rowOf(rows, 'copy').Status === 'Ready');
});

it('a node whose certificate has run out says so, and what to do', async () => {
  await lab.stop('copy');
  await lab.start('copy', [], { clockOffsetS: 200 * 86_400 });
  await until(async () => (await swarmOf('copy')).LocalNodeState === 'error', 20_000);
  expect((await swarmOf('copy')).Error).toBe(
    'the certificate of this node has expired: leave the cluster and join again',
  );
  await lab.ok('copy', ['leave']);
  await lab.stop('copy');
  await lab.start('copy');
});

describe('on the ports of a manager', () => {
  /** Sends bytes from a host without a certificate and waits until the manager hangs up, or five seconds. */
  const send = (port: number, produce: string): Promise<unknown> =>
    lab.exec('copy', [
      'bash',
      '-c',
      `exec 3<>/dev/tcp/${lab.node('m1').address}/${port}; (${produce}) >&3 2>/dev/null; timeout 5 cat <&3 >/dev/null`,
    ]);

  const garbage = (port: number): Promise<unknown> =>
    Promise.all([
      send(port, 'head -c 100000 /dev/urandom'),
      send(port, "printf 'GET / HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n'"),
      // A TLS record that promises 64 KiB and never ends.
      send(port, "printf '\\x16\\x03\\x01\\xff\\xff'; head -c 5000000 /dev/zero"),
      send(port, 'sleep 4'),
      // TLS without a certificate, and then something that is not HTTP/2.
      lab.exec('copy', [
        'bash',
        '-c',
        `(head -c 200000 /dev/urandom; sleep 1) | timeout 5 openssl s_client -quiet -connect ${lab.node('m1').address}:${port} >/dev/null 2>&1; true`,
      ]),
    ]);

  /** Ports that other hosts reach, of TCP or UDP. */
  const portsOf = async (kind: 't' | 'u'): Promise<readonly number[]> => {
    const { stdout } = await lab.exec('m1', ['ss', `-Hln${kind}`]);
    const found = stdout.split('\n').flatMap((line) => {
      const local = line.trim().split(/\s+/)[3] ?? '';
      const port = Number(local.split(':').at(-1));
      return port > 0 && !/^(127\.|\[::1\])/.test(local) ? [port] : [];
    });
    return [...new Set(found)].sort((a, b) => a - b);
  };

  it('garbage, text, endless bytes, silence and datagrams do no harm, whichever port they come to', async () => {
    await lab.stop('m1');
    await lab.start('m1', ['--api-addr', '0.0.0.0:2376']);
    await untilNodes(lab, 'm1', (found) => liveManagers(found).length === 2);
    const pids = controlPids(lab.paths('m1'));
    const before = lab.log('m1').length;
    const ports = await portsOf('t');
    expect(ports).toEqual(expect.arrayContaining([2376, 2377, 2378]));
    const { address } = lab.node('m1');
    const datagrams = (await portsOf('u')).map((port) =>
      lab.exec('copy', [
        'bash',
        '-c',
        `for i in $(seq 200); do head -c $((RANDOM % 1400 + 1)) /dev/urandom > /dev/udp/${address}/${port}; done; true`,
      ]),
    );
    await Promise.all([...ports.map(garbage), ...datagrams]);
    expect(controlPids(lab.paths('m1'))).toEqual(pids);
    const rows = await untilNodes(
      lab,
      'm1',
      (found) => liveManagers(found).length === 2 && rowOf(found, 'w1').Status === 'Ready',
    );
    expect(rowOf(rows, 'w1').Status).toBe('Ready');
    await lab.ok('m2', ['node', 'update', '--label-add', 'after=garbage', 'w1']);
    expect(await portsOf('t')).toEqual(ports);
    expect(lab.log('m1').slice(before)).not.toMatch(/\bbug\b|\.js:\d+/);
  });

  it('hundreds of connections that say nothing do not keep a node out', async () => {
    const { address } = lab.node('m1');
    const open = 'for i in $(seq 300); do exec {fd}<>/dev/tcp/ADDRESS/2377; done; sleep 8';
    const silent = lab.exec('copy', ['bash', '-c', open.replace('ADDRESS', address)]);
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    lab.addHost('late');
    await lab.start('late');
    await lab.join('late', await lab.token('m2', 'worker'), 'm1');
    await untilNodes(lab, 'm1', (rows) => rowOf(rows, 'late').Status === 'Ready');
    await silent;
  });
});

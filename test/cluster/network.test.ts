// Goal: containers of one project on several hosts are one network, encrypted, and every host answers for published ports, with the client's address seen by
// the task. Method: a real cluster of three hosts (lab), a compose file, what users see.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Lab } from '../support/cluster-lab/lab.ts';
import { nodeTags, tracesOf } from '../support/cluster-lab/take-down.ts';
import { flagTest } from '../support/flag-tests.ts';
import { until } from '../support/test-node.ts';
import { labUp, moveHost } from './cluster.ts';

/** busybox's web server; a page says which container it comes from, and who asked. */
const COMPOSE = `
services:
  web:
    image: busybox:test
    command: ["busybox", "httpd", "-f", "-p", "0.0.0.0:80", "-h", "/w"]
    ports: ["8080:80"]
    configs: [{source: who, target: /w/cgi-bin/who, mode: 0755}]
    deploy: {replicas: 2, placement: {constraints: ["node.role==worker"], max_replicas_per_node: 1}}
  cli:
    image: busybox:test
    command: ["sleep", "100000"]
    deploy: {placement: {constraints: ["node.role==manager"]}}
configs:
  who:
    content: |
      #!/bin/sh
      echo
      echo "$$(busybox hostname) $$REMOTE_ADDR"
`;
const NODES = ['m1', 'w1', 'w2'];

let lab: Lab;

beforeAll(async () => {
  lab = await labUp({ managers: 1, workers: 2 });
  await lab.importBusybox(NODES);
  const file = join(lab.folder, 'compose.yaml');
  writeFileSync(file, COMPOSE);
  const up = await lab.tcompose('m1', ['-p', 'net', '-f', file, 'up', '-d'], {
    timeoutMs: 60_000,
  });
  expect([up.code, up.stderr]).toEqual([0, expect.any(String)]);
});
afterAll(async () => {
  const { folder } = lab;
  const tags = nodeTags(folder);
  await lab.down();
  expect(tracesOf(folder, tags)).toEqual([]);
});

/** What a node gets from an address; '' = nothing. */
async function get(node: string, url: string): Promise<string> {
  const answer = await lab.exec(node, ['curl', '-s', '-m', '2', url]);
  return answer.code === 0 ? answer.stdout.trim() : '';
}

/** In the container of `cli`. */
async function inCli(...command: readonly string[]): Promise<string> {
  const ids = (await lab.exec('m1', ['docker', 'ps', '-q'])).stdout.trim().split('\n');
  return (await lab.exec('m1', ['docker', 'exec', ids[0] ?? '', ...command])).stdout.trim();
}

const addressOf = (name: string): string =>
  lab.nodes.find((node) => node.name === name)?.address ?? '';

describe('one network over several hosts', () => {
  it('names and reaches the tasks of other hosts', async () => {
    const met = new Set<string>();
    await until(async () => {
      met.add((await inCli('wget', '-qO-', 'http://web/cgi-bin/who')).split(' ')[0] ?? '');
      met.delete('');
      return met.size === 2;
    }, 10_000);
  });

  it('publishes a port on every host; the task sees who calls', async () => {
    for (const from of NODES) {
      for (const to of NODES) {
        const url = `http://${addressOf(to)}:8080/cgi-bin/who`;
        const isSeen = async (): Promise<boolean> =>
          (await get(from, url)).endsWith(` ${addressOf(from)}`);
        await until(isSeen, 10_000, () => `${from} does not reach ${to}`);
      }
    }
    expect(await get('m1', 'http://127.0.0.1:8080/cgi-bin/who')).toContain(addressOf('m1'));
  });

  const through = async (caller: string, entry: string): Promise<string> =>
    get(caller, `http://${addressOf(entry)}:8080/cgi-bin/who`);
  const taskOn = async (name: string): Promise<string> =>
    (await lab.exec(name, ['docker', 'ps', '-q'])).stdout.trim();

  flagTest(
    'tswarm service update',
    ['--session-affinity', '--prefer-same-node'],
    'a client stays at one task, or gets those of the node that it calls',
    async () => {
      const update = ['service', 'update', '-q'];
      await lab.ok('m1', [...update, '--session-affinity', 'source', 'net_web']);
      const met = new Set<string>();
      for (let i = 0; i < 12; i++) met.add(await through('m1', NODES[i % 3] ?? ''));
      expect([...met]).toEqual([expect.stringMatching(/^[0-9a-f]{12} /)]);

      const flags = ['--session-affinity', 'none', '--prefer-same-node'];
      await lab.ok('m1', [...update, ...flags, 'net_web']);
      for (const name of ['w1', 'w2']) {
        const own = await taskOn(name);
        for (let i = 0; i < 6; i++) expect(await through('m1', name)).toMatch(`${own} `);
      }
      await lab.ok('m1', [...update, '--prefer-same-node=false', 'net_web']);
    },
  );

  it('takes containers of docker run where it may, by name and from every host', async () => {
    const docker = (node: string, ...args: readonly string[]) =>
      lab.exec(node, ['docker', ...args], { timeoutMs: 30_000 });
    for (const [name, ...flags] of [['open', '--attachable'], ['closed']] as const) {
      const made = await docker('m1', 'network', 'create', '-d', 'overlay', ...flags, name);
      expect([made.code, made.stderr]).toEqual([0, '']);
    }
    const ping = (node: string, network: string, name: string) =>
      docker(node, 'run', '--rm', '--network', network, 'busybox:test', 'ping', '-c1', '-W5', name);
    const lone = ['--name', 'lone', '--network', 'open', '--network-alias', 'one'];
    const ran = await docker('w1', 'run', '-d', ...lone, 'busybox:test', 'sleep', '100000');
    expect([ran.code, ran.stderr]).toEqual([0, '']);
    for (const [node, name] of [
      ['m1', 'lone'],
      ['w2', 'one'],
      ['w1', 'lone'],
    ] as const) {
      await until(async () => (await ping(node, 'open', name)).code === 0, 15_000);
    }
    const refused = await ping('w2', 'closed', 'lone');
    expect([refused.code, refused.stderr]).toEqual([
      125,
      expect.stringContaining('network closed not manually attachable'),
    ]);
    const on = async (): Promise<readonly string[]> => {
      const format = '{{range $name, $_ := .NetworkSettings.Networks}}{{$name}} {{end}}';
      return (await docker('w1', 'inspect', '-f', format, 'lone')).stdout.trim().split(' ');
    };
    expect((await docker('w1', 'network', 'connect', 'bridge', 'lone')).stderr).toBe('');
    expect(await on()).toEqual(['bridge', 'open']);
    expect((await docker('w1', 'network', 'disconnect', 'bridge', 'lone')).stderr).toBe('');
    expect(await on()).toEqual(['open']);
    const inUse = await docker('m1', 'network', 'rm', 'open');
    expect(inUse.stderr).toContain('is in use by container lone on node w1');
    await docker('w1', 'rm', '-f', 'lone');
    await until(async () => (await docker('m1', 'network', 'rm', 'open')).code === 0, 15_000);
    expect((await docker('m1', 'network', 'rm', 'closed')).code).toBe(0);
  });

  it('can be checked from every node', async () => {
    for (const node of NODES) {
      const check = async (): Promise<string> =>
        (await lab.tswarm(node, ['network', 'check'])).stdout;
      await until(async () => (await check()).includes('Nothing is wrong.'), 10_000);
      const text = await check();
      const rows = NODES.filter((other) => other !== node).map(
        (other) =>
          new RegExp(`^${other} +${addressOf(other)}:51820 +\\d+ s ago +4/4 +[\\d.]+ ms +ok$`, 'm'),
      );
      for (const row of rows) expect(text).toMatch(row);
    }
  });

  it('says in node ls when nodes do not reach each other', async () => {
    const warnings = async (): Promise<string> => (await lab.tswarm('m1', ['node', 'ls'])).stderr;
    expect(await warnings()).toBe('');
    // New sessions only: the tunnel forgets its peers with the process.
    await lab.exec('w1', ['sh', '-c', 'iptables -I INPUT -p udp --dport 51820 -j DROP']);
    await lab.exec('w1', [
      'sh',
      '-c',
      'ip -o link | grep -o "w[a-z0-9]*0:" | tr -d : | xargs ip link del',
    ]);
    await until(async () => (await warnings()).includes('w1: no answer from node w2'), 45_000);
    expect((await lab.tswarm('m1', ['network', 'check'])).code).toBe(1);
    await lab.exec('w1', ['sh', '-c', 'iptables -D INPUT -p udp --dport 51820 -j DROP']);
    await until(async () => (await warnings()) === '', 60_000);
  });

  it('goes on while daemons are killed and come back', async () => {
    for (const node of NODES) {
      await lab.kill(node);
      expect(await get('w1', `http://${addressOf('m1')}:8080/cgi-bin/who`)).not.toBe('');
      await lab.start(node);
      expect(await get('w2', `http://${addressOf('m1')}:8080/cgi-bin/who`)).not.toBe('');
    }
  });

  it('follows a host that gets another address', async () => {
    const moved = await taskOn('w1');
    const address = moveHost(lab, 'w1', 61);
    const check = async (): Promise<string> =>
      (await lab.tswarm('m1', ['network', 'check'])).stdout;
    let text = '';
    await until(
      async () => {
        text = await check();
        return text.includes(`${address}:51820`) && text.includes('Nothing is wrong.');
      },
      60_000,
      () => `${text}\n${lab.log('w1').slice(-3000)}`,
    );
    // By name over the network, and by the published port of the new address.
    await until(
      async () => (await inCli('wget', '-qO-', 'http://web/cgi-bin/who')).startsWith(moved),
      30_000,
    );
    const url = `http://${address}:8080/cgi-bin/who`;
    await until(async () => (await get('m1', url)).endsWith(` ${addressOf('m1')}`), 30_000);
  });
});

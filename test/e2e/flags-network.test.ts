// The flags of tswarm network on one node, each by its effect on a network as the API shows it, or on a container that is on it.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { flagTest } from '../support/flag-tests.ts';
import { type Result, TestNode } from '../support/test-node.ts';

let node: TestNode;

beforeAll(async () => {
  node = new TestNode();
  await node.start();
  await node.importBusybox();
  await ok('init', '--advertise-addr', '127.0.0.1:23896', '--listen-addr', '127.0.0.1:23896');
});
afterAll(async () => {
  await node[Symbol.asyncDispose]();
});

const tswarm = (...args: string[]): Promise<Result> => node.tswarm(args);

async function ok(...args: string[]): Promise<string> {
  const result = await tswarm(...args);
  expect(result.code, result.stderr).toBe(0);
  return result.stdout;
}

async function inspected(name: string): Promise<Record<string, unknown>> {
  const [network] = JSON.parse(await ok('network', 'inspect', name)) as Record<string, unknown>[];
  if (!network) throw new Error(`no network ${name}`);
  return network;
}

describe('tswarm network create', () => {
  it('makes a network of the cluster unless told otherwise', async () => {
    const id = (await ok('network', 'create', 'plain')).trim();
    expect(await inspected('plain')).toMatchObject({ Id: id, Driver: 'overlay', Scope: 'swarm' });
  });

  flagTest(
    'tswarm network create',
    ['--driver', '--opt', '--label', '--internal'],
    'are in the network',
    async () => {
      await ok(
        'network',
        'create',
        '--driver',
        'bridge',
        '--opt',
        'com.docker.network.driver.mtu=1400',
        '--label',
        'a=b',
        '--internal',
        'own',
      );
      expect(await inspected('own')).toMatchObject({
        Driver: 'bridge',
        Scope: 'local',
        Internal: true,
        Labels: { a: 'b' },
        Options: { 'com.docker.network.driver.mtu': '1400' },
      });
    },
  );

  flagTest(
    'tswarm network create',
    ['--subnet', '--gateway', '--ip-range', '--aux-address', '--ipv6', '--attachable'],
    'say which addresses it has',
    async () => {
      await ok(
        'network',
        'create',
        '--subnet',
        '10.91.0.0/24',
        '--subnet',
        'fd00:91::/64',
        '--gateway',
        '10.91.0.254',
        '--ip-range',
        '10.91.0.128/25',
        '--aux-address',
        'printer=10.91.0.200',
        '--ipv6',
        '--attachable',
        'addressed',
      );
      const network = await inspected('addressed');
      expect(network).toMatchObject({ EnableIPv6: true, Attachable: true });
      expect((network.IPAM as { Config: object[] }).Config[0]).toMatchObject({
        Subnet: '10.91.0.0/24',
        Gateway: '10.91.0.254',
        IPRange: '10.91.0.128/25',
      });
      expect(JSON.stringify(network)).toContain('fd00:91::/64');
    },
  );

  it('says what is wrong', async () => {
    const overlapping = await tswarm('network', 'create', '--subnet', '10.91.0.0/16', 'x');
    expect([overlapping.code, overlapping.stderr]).toEqual([
      1,
      expect.stringContaining('network addressed has 10.91.0.0/24'),
    ]);
    const alone = await tswarm('network', 'create', '--gateway', '10.92.0.1', 'x');
    expect(alone.stderr).toContain('--gateway 10.92.0.1: there is no --subnet for it');
    const unknown = await tswarm('network', 'create', '--driver', 'macvlan', 'x');
    expect([unknown.code, unknown.stderr]).toEqual([1, expect.stringContaining('macvlan')]);
  });
});

describe('tswarm network ls and inspect', () => {
  flagTest(
    'tswarm network ls',
    ['--filter', '--format', '--quiet', '--no-trunc'],
    'choose',
    async () => {
      const names = await ok(
        'network',
        'ls',
        '--filter',
        'scope=swarm',
        '--format',
        '{{.Name}} {{.Encrypted}}',
      );
      expect(names.trim().split('\n')).toEqual(['addressed yes', 'plain yes']);
      const { Id } = await inspected('plain');
      expect((await ok('network', 'ls', '-q', '--filter', 'name=plain')).trim()).toBe(
        String(Id).slice(0, 12),
      );
      expect(await ok('network', 'ls', '--no-trunc')).toContain(String(Id));
    },
  );

  flagTest('tswarm network ls', ['--json'], 'is one object a line', async () => {
    const lines = (await ok('network', 'ls', '--json')).trim().split('\n');
    expect(lines.map((line) => (JSON.parse(line) as { Name: string }).Name)).toContain('plain');
  });

  flagTest('tswarm network inspect', ['--format', '--verbose'], 'show parts and more', async () => {
    expect((await ok('network', 'inspect', '--format', '{{.Name}}', 'plain')).trim()).toBe('plain');
    const verbose = JSON.parse(await ok('network', 'inspect', '--verbose', 'plain')) as object[];
    expect(verbose[0]).toHaveProperty('Services');
  });
});

describe('containers', () => {
  const run = (name: string): Promise<Result> =>
    node.docker(['run', '-d', '--name', name, 'busybox:test', 'sleep', '1000']);

  flagTest(
    'tswarm network connect',
    ['--ip', '--ip6', '--alias'],
    'give a container its place',
    async () => {
      expect((await run('box')).code).toBe(0);
      const on = [
        '--driver',
        'bridge',
        '--ipv6',
        '--subnet',
        '10.93.0.0/24',
        '--subnet',
        'fd00:93::/64',
      ];
      await ok('network', 'create', ...on, 'lan');
      await ok(
        'network',
        'connect',
        '--ip',
        '10.93.0.77',
        '--ip6',
        'fd00:93::77',
        '--alias',
        'nick',
        'lan',
        'box',
      );
      const shown = await node.docker(['exec', 'box', 'ip', 'addr']);
      expect(shown.stdout).toContain('10.93.0.77/');
      expect(shown.stdout).toContain('fd00:93::77/');
      const found = await node.docker(['exec', 'box', 'nslookup', '-type=a', 'nick']);
      expect(found.stdout).toContain('10.93.0.77');
    },
  );

  flagTest('tswarm network disconnect', ['--force'], 'takes it away', async () => {
    await ok('network', 'disconnect', '--force', 'lan', 'box');
    expect((await node.docker(['exec', 'box', 'ip', 'addr'])).stdout).not.toContain('10.93.0.77');
  });
});

describe('check, rm and prune', () => {
  flagTest('tswarm network check', ['--json'], 'says that nothing is wrong', async () => {
    expect(await ok('network', 'check')).toContain('Nothing is wrong.');
    expect(JSON.parse(await ok('network', 'check', '--json'))).toMatchObject({
      peers: [],
      faults: [],
    });
  });

  flagTest('tswarm network rm', ['--force'], 'passes over what is not there', async () => {
    await ok('network', 'rm', '--force', 'plain', 'nobody');
    expect((await tswarm('network', 'rm', 'nobody')).code).toBe(1);
    expect(await ok('network', 'ls')).not.toContain('plain');
  });

  flagTest(
    'tswarm network prune',
    ['--force', '--filter'],
    'removes what is not used',
    async () => {
      await ok('network', 'prune', '--force', '--filter', 'label=a=b');
      const left = await ok('network', 'ls', '--format', '{{.Name}}');
      expect(left).not.toContain('own');
      expect(left).toContain('addressed');
    },
  );
});

// Goal: networks of one node: their subnets, and addresses that nobody gets twice. Method: real files in a folder of the test's own; random takers.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { nodeClock, nodeRandom } from '#protocol/transport/node-world';
import { addressNumber, subnetsMeet } from '#worker/network/host';
import {
  type LocalIpam,
  type LocalNetwork,
  LocalNetworks,
  type NewLocalNetwork,
} from '#worker/network/local-networks';

const folders: string[] = [];

afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

async function networks(
  folder = mkdtempSync(join(tmpdir(), 'tswarm-nets-')),
): Promise<LocalNetworks> {
  if (!folders.includes(folder)) folders.push(folder);
  const made = new LocalNetworks(join(folder, 'networks.json'), nodeClock, nodeRandom);
  await made.load();
  return made;
}

function ipam(subnet: string, more: Partial<LocalIpam> = {}): LocalIpam {
  return { subnet, gateway: '', range: '', reserved: {}, ...more };
}

function wanted(name: string, more: Partial<NewLocalNetwork> = {}): NewLocalNetwork {
  return {
    name,
    driver: 'bridge',
    ipam: [],
    ipv6: false,
    internal: false,
    attachable: false,
    labels: {},
    options: {},
    ...more,
  };
}

/** The one IPv4 address that a container gets. */
function take(
  local: LocalNetworks,
  network: LocalNetwork,
  id: string,
  asked = '',
  former = '',
): string | undefined {
  const list = (address: string): string[] => (address === '' ? [] : [address]);
  return local.takeAddresses(network, id, list(asked), list(former))[0];
}

function found(local: LocalNetworks, name: string): LocalNetwork {
  const network = local.find(name);
  if (!network) throw new Error(`no ${name}`);
  return network;
}

describe('networks of one node', () => {
  it('begin with those that Docker has', async () => {
    const local = await networks();
    expect(local.list().map(({ name, driver }) => `${name} ${driver}`)).toEqual([
      'bridge bridge',
      'host host',
      'none null',
    ]);
    const bridge = found(local, 'bridge');
    const [{ subnet, gateway } = ipam('')] = bridge.ipam;
    expect(subnet).toMatch(/^172\.\d+\.0\.0\/16$/);
    expect(gateway).toBe(subnet.replace('.0/16', '.1'));
  });

  it('are still there after a restart', async () => {
    const local = await networks();
    const made = await local.create(wanted('mine', { labels: { a: 'b' } }));
    const again = await networks(folders[0]);
    expect(again.find('mine')).toEqual(made);
    expect(again.find('bridge')).toEqual(local.find('bridge'));
    await again.remove(made);
    expect((await networks(folders[0])).find('mine')).toBeUndefined();
  });

  it('get subnets that meet no other, also when made at the same time', async () => {
    const local = await networks();
    local.otherSubnets = () => ['172.18.5.0/24', '172.19.0.0/16'];
    const made = await Promise.all(
      Array.from({ length: 8 }, (_, i) => local.create(wanted(`n${i}`))),
    );
    const subnetsOf = (one: LocalNetwork): string[] => one.ipam.map(({ subnet }) => subnet);
    const subnets = [...made, found(local, 'bridge')].flatMap(subnetsOf);
    expect(subnets.length).toBe(9);
    for (const [index, a] of subnets.entries()) {
      expect(subnets.filter((b, other) => other !== index && subnetsMeet(a, b))).toEqual([]);
    }
    // The bridge was there before the others, at a place that depends on this host's own networks.
    for (const a of made.flatMap(subnetsOf)) {
      expect(local.otherSubnets().filter((b) => subnetsMeet(a, b))).toEqual([]);
    }
  });

  it('have one name each', async () => {
    const local = await networks();
    const both = await Promise.allSettled([local.create(wanted('x')), local.create(wanted('x'))]);
    expect(both.map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
    await expect(local.create(wanted('x'))).rejects.toMatchObject({ code: 'already_exists' });
  });

  it('are found by id, name, or a prefix that only one has', async () => {
    const local = await networks();
    const made = await local.create(wanted('mine'));
    expect(local.find(made.id)).toBe(made);
    expect(local.find('mine')).toBe(made);
    expect(local.find(made.id.slice(0, 12))).toBe(made);
    expect(local.find(made.id.slice(0, 2))).toBeUndefined();
    expect(local.find('nope')).toBeUndefined();
  });

  it.each([
    ['10.77.0.0/16', '10.77.0.0/16', '10.77.0.1'],
    ['10.77.3.9/24', '10.77.3.0/24', '10.77.3.1'],
    ['10.77.0.4/30', '10.77.0.4/30', '10.77.0.5'],
    ['fd00:77:0::9/64', 'fd00:77::/64', 'fd00:77::1'],
  ])('with subnet %s: %s, gateway %s', async (asked, subnet, gateway) => {
    const made = await (await networks()).create(wanted('x', { ipam: [ipam(asked)] }));
    expect(made.ipam.at(-1)).toMatchObject({ subnet, gateway });
    // IPv4 is always there.
    expect(made.ipam[0]?.subnet).toMatch(/^\d+\.\d+\./);
  });

  it.each([
    '10.77.0.0',
    '10.77.0.0/31',
    '10.77.0.0/7',
    '10.77.0.256/24',
    'fd00::/127',
    'fe80::1%eth0/64',
    'x/24',
    '10.77.0.0/24/1',
    '10.77.0.0/024',
  ])('not with subnet %s', async (subnet) => {
    await expect(
      (await networks()).create(wanted('x', { ipam: [ipam(subnet)] })),
    ).rejects.toMatchObject({
      code: 'invalid_argument',
      field: 'IPAM.Config.Subnet',
    });
  });

  it('get an IPv6 subnet of their own when IPv6 is asked for', async () => {
    const local = await networks();
    const made = await local.create(wanted('six', { ipv6: true }));
    expect(made.ipam.length).toBe(2);
    expect(made.ipam[1]?.subnet).toMatch(/^fd[0-9a-f:]+::\/64$/);
    const [v4, v6] = local.takeAddresses(made, 'c', [], []);
    expect([v4?.includes('.'), v6]).toEqual([true, made.ipam[1]?.subnet.replace('/64', '2')]);
    const given = await local.create(
      wanted('given', { ipv6: true, ipam: [ipam('fd00:5::/64'), ipam('10.77.0.0/16')] }),
    );
    expect(given.ipam.map(({ subnet }) => subnet)).toEqual(['10.77.0.0/16', 'fd00:5::/64']);
  });

  it.each([
    [{ gateway: '10.79.0.1' }, 'Gateway'],
    [{ gateway: '10.78.0.0' }, 'Gateway'],
    [{ gateway: 'fd00::1' }, 'Gateway'],
    [{ gateway: 'nonsense' }, 'Gateway'],
    [{ range: '10.79.0.0/24' }, 'IPRange'],
    [{ range: '10.78.0.0/8' }, 'IPRange'],
    [{ range: 'x' }, 'IPRange'],
    [{ reserved: { router: '10.79.0.1' } }, 'AuxiliaryAddresses'],
  ])('not with %j, outside of the subnet', async (more, field) => {
    const asked = wanted('b', { ipam: [ipam('10.78.0.0/16', more)] });
    await expect((await networks()).create(asked)).rejects.toMatchObject({
      code: 'invalid_argument',
      field: `IPAM.Config.${field}`,
    });
  });

  it('not with what no container can have', async () => {
    const local = await networks();
    for (const subnet of ['127.0.0.0/8', '169.254.3.0/24', '224.0.0.0/24', 'fe80::/64']) {
      const asked = wanted('b', { ipv6: true, ipam: [ipam(subnet)] });
      await expect(local.create(asked)).rejects.toThrow(`subnet ${subnet} overlaps the `);
    }
  });

  it('not with an overlap, two subnets of a family, or a driver that we have not', async () => {
    const local = await networks();
    await local.create(wanted('a', { ipam: [ipam('10.77.0.0/16', { gateway: '10.77.9.9' })] }));
    expect(found(local, 'a').ipam[0]?.gateway).toBe('10.77.9.9');
    await expect(local.create(wanted('b', { ipam: [ipam('10.77.4.0/24')] }))).rejects.toThrow(
      /Pool overlaps with other one on this address space: 10\.77\.4\.0\/24 and network a/,
    );
    const two = wanted('b', { ipam: [ipam('10.78.0.0/16'), ipam('10.79.0.0/16')] });
    await expect(local.create(two)).rejects.toThrow(/one subnet of each family/);
    await expect(local.create(wanted('b', { driver: 'macvlan' }))).rejects.toMatchObject({
      code: 'not_found',
    });
  });
});

describe('addresses', () => {
  it('are given once, within the subnet, never the gateway', async () => {
    const local = await networks();
    const network = await local.create(
      wanted('x', { ipam: [ipam('10.77.0.0/28', { gateway: '10.77.0.7' })] }),
    );
    const step = fc.oneof(
      fc.record({ take: fc.nat({ max: 20 }).map((n) => `c${n}`) }),
      fc.record({ release: fc.nat({ max: 20 }).map((n) => `c${n}`) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const held = new Map<string, string>();
        for (let i = 0; i <= 20; i++) local.releaseAddresses(`c${i}`);
        for (const one of steps) {
          if ('release' in one) {
            local.releaseAddress(network.id, one.release);
            held.delete(one.release);
          } else if (!held.has(one.take)) {
            const taken = new Set(held.values());
            if (taken.size === 13) {
              expect(() => take(local, network, one.take)).toThrow(/no free address left/);
              continue;
            }
            const address = take(local, network, one.take) ?? '';
            expect(taken.has(address)).toBe(false);
            expect(address).not.toBe('10.77.0.7');
            const place = Number(addressNumber(address) - addressNumber('10.77.0.0'));
            expect(place > 0 && place < 15).toBe(true);
            held.set(one.take, address);
          }
        }
      }),
      { numRuns: 100 },
    );
  });

  it('are not used again at once', async () => {
    const local = await networks();
    const network = await local.create(wanted('x', { ipam: [ipam('10.77.0.0/24')] }));
    expect(take(local, network, 'a')).toBe('10.77.0.2');
    local.releaseAddresses('a');
    expect(take(local, network, 'b')).toBe('10.77.0.3');
  });

  it('come from the range that was asked for, without those that are reserved', async () => {
    const local = await networks();
    const reserved = { router: '10.77.4.1', printer: '10.77.4.2' };
    const network = await local.create(
      wanted('x', { ipam: [ipam('10.77.0.0/16', { range: '10.77.4.0/30', reserved })] }),
    );
    expect([take(local, network, 'a'), take(local, network, 'b')]).toEqual([
      '10.77.4.0',
      '10.77.4.3',
    ]);
    expect(() => take(local, network, 'c')).toThrow(
      /no free address left in 10\.77\.4\.0\/30: in use by reserved for .*, a, b$/,
    );
    expect(take(local, network, 'c', '10.77.9.9')).toBe('10.77.9.9');
    expect(() => take(local, network, 'd', '10.77.4.2')).toThrow(/reserved for printer/);
  });

  it('stay with a container that is attached again, if they can', async () => {
    const local = await networks();
    const network = await local.create(wanted('x', { ipam: [ipam('10.77.0.0/24')] }));
    expect(take(local, network, 'a', '', '10.77.0.9')).toBe('10.77.0.9');
    expect(take(local, network, 'b', '', '10.77.0.9')).toBe('10.77.0.2');
    expect(take(local, network, 'c', '', '10.99.0.9')).toBe('10.77.0.3');
    expect(take(local, network, 'd', '', '10.77.0.1')).toBe('10.77.0.4');
  });

  it('can be asked for: once, and only of the subnet', async () => {
    const local = await networks();
    const network = await local.create(wanted('x', { ipam: [ipam('10.77.0.0/24')] }));
    expect(take(local, network, 'a', '10.77.0.50')).toBe('10.77.0.50');
    expect(take(local, network, 'a', '10.77.0.50')).toBe('10.77.0.50');
    expect(() => take(local, network, 'b', '10.77.0.50')).toThrow(/Address already in use/);
    expect(() => take(local, network, 'b', '10.77.0.1')).toThrow(/the gateway/);
    for (const outside of ['10.77.0.0', '10.77.0.255', '10.78.0.1']) {
      expect(() => take(local, network, 'b', outside)).toThrow(/is not in subnet/);
    }
    local.holdAddresses(network.id, 'old', ['10.77.0.2', '10.77.0.1']);
    expect(take(local, network, 'c')).toBe('10.77.0.3');
    local.releaseAddresses('old');
    expect(() => take(local, network, 'b', '10.77.0.1')).toThrow(/the gateway/);
  });

  it('of both families are taken together or not at all', async () => {
    const local = await networks();
    const network = await local.create(
      wanted('x', { ipam: [ipam('10.77.0.0/24'), ipam('fd00:7::/64')] }),
    );
    local.takeAddresses(network, 'a', ['fd00:7::9'], []);
    expect(() => local.takeAddresses(network, 'b', ['10.77.0.9', 'fd00:7::9'], [])).toThrow(
      /Address already in use: fd00:7::9/,
    );
    expect(local.takeAddresses(network, 'c', ['10.77.0.9'], [])).toEqual([
      '10.77.0.9',
      'fd00:7::2',
    ]);
  });
});

// Goal: the small decisions of a node's network, each by itself: names of interfaces, MAC addresses, default routes, resolv.conf, overlapping networks,
// what is damaged, what is kept on disk.
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type AttachmentRecord,
  defaultRouteIndex,
  type HelperInterface,
  interfaceName,
  macFor,
  newLinkName,
  withDefaultRoute,
} from '#worker/network/attachment';
import { AttachmentEvents } from '#worker/network/attachment-events';
import { AttachmentStore } from '#worker/network/attachment-store';
import { acceptNetworks } from '#worker/network/endpoint-plan';
import { addressNumber, addressText, subnetsMeet } from '#worker/network/host';
import { containerStats } from '#worker/network/interface-stats';
import { wholeness } from '#worker/network/kernel-check';
import type { LocalNetwork } from '#worker/network/local-networks';
import { meshNames } from '#worker/network/mesh/addresses';
import { missingRules, ownHandles } from '#worker/network/other-firewall';
import { checkNameservers, resolvConf } from '#worker/network/resolv-conf';
import type { AttachedEndpoint } from '#worker/network/types';
import { container } from '../../../support/network-lab/objects.ts';

function itf(name: string, host: string, v4 = '10.1.0.5', v6?: string): HelperInterface {
  const family = { gateway: '', subnet: '', defaultRoute: false };
  return {
    host,
    name,
    mac: '',
    hostMac: '',
    mtu: 1500,
    v4: { address: v4, ...family },
    ...(v6 === undefined ? {} : { v6: { address: v6, ...family } }),
  };
}

describe('interfaces', () => {
  it('have names that Linux takes and that nobody has', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 60, maxLength: 60 }),
        fc.nat({ max: 3 }),
        (bytes, taken) => {
          let at = 0;
          const next = (length: number): Uint8Array => {
            at += length;
            return bytes.subarray(at - length, at);
          };
          let asked = 0;
          const name = newLinkName('tabcdefgh', next, () => asked++ < taken);
          expect(name).toMatch(/^tabcdefgh[0-9a-z]{6}$/);
          expect(asked).toBe(taken + 1);
        },
      ),
    );
  });

  it('are numbered with the first that is free', () => {
    expect(interfaceName(undefined, new Set())).toBe('eth0');
    expect(interfaceName('', new Set(['eth0', 'eth2']))).toBe('eth1');
    expect(interfaceName('', new Set(['eth1', 'wan']))).toBe('eth0');
    expect(interfaceName('wan', new Set(['eth0']))).toBe('wan');
  });

  it('have a MAC address as Docker gives it', () => {
    expect(macFor('172.17.0.2', 'container')).toBe('02:42:ac:11:00:02');
    expect(macFor('10.0.255.9', 'host')).toBe('02:43:0a:00:ff:09');
  });

  it.each([
    [[], -1],
    [
      [
        [false, 0],
        [false, 0],
      ],
      0,
    ],
    [
      [
        [true, 0],
        [false, 0],
        [false, 0],
      ],
      1,
    ],
    [
      [
        [false, 0],
        [true, 5],
      ],
      1,
    ],
    [
      [
        [false, 1],
        [false, 7],
        [false, 7],
      ],
      1,
    ],
    [
      [
        [true, 0],
        [true, 0],
      ],
      0,
    ],
  ] as [[boolean, number][], number][])(
    'internal and priority %j: default route %i',
    (list, index) => {
      expect(
        defaultRouteIndex(list.map(([internal, gwPriority]) => ({ internal, gwPriority }))),
      ).toBe(index);
    },
  );

  it('carry the default route in both families or in none', () => {
    const both = withDefaultRoute(itf('eth0', 'a', '10.1.0.5', 'fd00::5'), true);
    expect([both.v4?.defaultRoute, both.v6?.defaultRoute]).toEqual([true, true]);
    expect(withDefaultRoute(both, false).v6?.defaultRoute).toBe(false);
    expect(withDefaultRoute(itf('eth0', 'a'), true).v6).toBeUndefined();
  });

  it('are whole when up and routed', () => {
    const isWhole = wholeness({
      links: [
        { name: 'a', up: true },
        { name: 'b', up: false },
        { name: 'c', up: true },
      ],
      routes: [
        { to: '10.1.0.5', link: 'a' },
        { to: 'fd00::5', link: 'a' },
        { to: '10.1.0.6', link: 'b' },
        { to: '10.1.0.5', link: 'c' },
      ],
      forwarding: { v4: true, v6: true },
    });
    expect(isWhole(itf('eth0', 'a'))).toBe(true);
    expect(isWhole(itf('eth0', 'a', '10.1.0.5', 'fd00:0:0::5'))).toBe(true);
    expect(isWhole(itf('eth0', 'a', '10.1.0.5', 'fd00::6'))).toBe(false);
    expect(isWhole(itf('eth0', 'a', '10.1.0.6'))).toBe(false);
    expect(isWhole(itf('eth0', 'b', '10.1.0.6'))).toBe(false);
    expect(isWhole(itf('eth0', 'gone'))).toBe(false);
  });

  it('count from the container’s point of view', () => {
    const host = {
      rx_bytes: 1,
      rx_packets: 2,
      rx_errors: 3,
      rx_dropped: 4,
      tx_bytes: 5,
      tx_packets: 6,
      tx_errors: 7,
      tx_dropped: 8,
    };
    expect(containerStats(host)).toEqual({
      rx_bytes: 5,
      rx_packets: 6,
      rx_errors: 7,
      rx_dropped: 8,
      tx_bytes: 1,
      tx_packets: 2,
      tx_errors: 3,
      tx_dropped: 4,
    });
    expect(containerStats(undefined).rx_bytes).toBe(0);
  });
});

describe('resolv.conf', () => {
  const host = { nameservers: ['192.0.2.1'], search: ['corp'], options: ['timeout:3'] };
  const nothing = { nameservers: [], search: [], options: [] };

  it('names the node’s resolver where the container has a network', () => {
    expect(resolvConf(nothing, host, true)).toBe(
      'nameserver 127.0.0.11\nsearch corp\noptions timeout:3 ndots:0\n',
    );
    const own = { nameservers: ['192.0.2.9'], search: ['.'], options: ['ndots:2'] };
    expect(resolvConf(own, host, true)).toBe('nameserver 127.0.0.11\noptions ndots:2\n');
  });

  it('names real servers where it has none', () => {
    expect(resolvConf(nothing, host, false)).toBe(
      'nameserver 192.0.2.1\nsearch corp\noptions timeout:3\n',
    );
    expect(resolvConf({ ...nothing, nameservers: ['192.0.2.9'] }, nothingHost, false)).toBe(
      'nameserver 192.0.2.9\n',
    );
  });
  const nothingHost = { nameservers: [], search: [], options: [] };

  it('takes only addresses as servers', () => {
    checkNameservers(['192.0.2.1', '2001:db8::1', 'fe80::1%eth0']);
    expect(() => checkNameservers(['dns.example'])).toThrow(/"dns.example" is not an IP address/);
  });
});

describe('addresses', () => {
  it('go to numbers and back', () => {
    const isSame = (value: bigint, isIpv6: boolean): boolean =>
      addressNumber(addressText(value, isIpv6)) === value;
    fc.assert(fc.property(fc.bigInt(0n, 2n ** 32n - 1n), (value) => isSame(value, false)));
    fc.assert(fc.property(fc.bigInt(0n, 2n ** 128n - 1n), (value) => isSame(value, true)));
    expect(addressNumber('::')).toBe(0n);
    expect(addressNumber('fd00:0:0:1::2')).toBe((0xfd00n << 112n) + (1n << 64n) + 2n);
    expect(addressNumber('1:2:3:4:5:6:7:8')).toBe(addressNumber('0001:2:3:4:5:6:7:0008'));
    for (const wrong of ['', '10.0.0.256', 'fe80::1%eth0', '1.2.3', 'x']) {
      expect(addressNumber(wrong)).toBe(-1n);
    }
  });

  it.each([
    ['10.0.0.0/8', '10.5.0.0/16', true],
    ['10.5.0.0/16', '10.0.0.0/8', true],
    ['10.5.0.0/16', '10.6.0.0/16', false],
    ['0.0.0.0/0', '10.6.0.0/16', true],
    ['10.0.0.1', '10.0.0.1/32', true],
    ['10.0.0.1', '10.0.0.2', false],
    ['fd00::/48', 'fd00:0:0:5::/64', true],
    ['fd00::/64', 'fd00:0:0:5::/64', false],
    ['::/0', '0.0.0.0/0', false],
  ])('%s meets %s: %s', (a, b, meet) => {
    expect(subnetsMeet(a, b)).toBe(meet);
    expect(subnetsMeet(b, a)).toBe(meet);
  });

  it('belong to one network of a node: the first', () => {
    const fact = (
      id: string,
      ...subnets: string[]
    ): Parameters<typeof acceptNetworks>[0][number] => ({
      id,
      name: id,
      subnets,
      internal: false,
    });
    const { accepted, refused } = acceptNetworks([
      fact('bridge', '172.17.0.0/16'),
      fact('a', '10.1.0.0/24', 'fd00::/64'),
      fact('b', '172.17.4.0/24'),
      fact('c', '10.2.0.0/24', 'fd00::/80'),
      fact('d', '10.2.0.0/24'),
    ]);
    expect(accepted.map(({ id }) => id)).toEqual(['bridge', 'a', 'd']);
    expect([...refused]).toEqual([
      ['b', 'its subnet is in use on this node by network bridge'],
      ['c', 'its subnet is in use on this node by network a'],
    ]);
  });
});

describe('what is kept of attachments', () => {
  function record(id: string, link: string): AttachmentRecord {
    return {
      containerId: id,
      request: container({ bridge: [] }),
      result: {
        netnsPath: '/x',
        resolvConf: '',
        hostGateway: '',
        endpoints: [],
        portStatus: [],
        ingressPorts: [],
      },
      interfaces: [itf('eth0', link)],
      serving: true,
    };
  }

  it('is the last that was said, however the writes meet', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'tswarm-records-'));
    const store = new AttachmentStore(folder);
    const writes: Promise<void>[] = [];
    for (let i = 0; i < 20; i++) {
      writes.push(store.put(record('kept', `l${i}`)), store.put(record('gone', `m${i}`)));
    }
    writes.push(store.delete('gone'));
    expect(store.get('kept')?.interfaces[0]?.host).toBe('l19');
    expect(store.has('gone')).toBe(false);
    expect([store.hasLink('l19'), store.hasLink('l18')]).toEqual([true, false]);
    await Promise.all(writes);
    writeFileSync(join(folder, 'torn.json'), '{"containerId":"to');
    writeFileSync(join(folder, 'other.json'), '{"containerId":"other"}');
    const again = new AttachmentStore(folder);
    await again.load();
    expect(again.list()).toEqual([record('kept', 'l19')]);
    expect(readdirSync(folder).sort()).toEqual(['kept.json', 'other.json', 'torn.json']);
    rmSync(folder, { recursive: true });
  });
});

describe('beside iptables', () => {
  const names = { table: 'tswarm_t', links: 'tt', mesh: meshNames('t'), dns: '169.254.7.7' };
  const forward = [
    'oifname "tt*" counter accept',
    'iifname "tt*" counter accept',
    'oifname "wt*" counter accept',
    'iifname "wt*" counter accept',
  ];
  const chain = (...rules: readonly string[]): string =>
    [
      'table ip filter { # handle 1',
      '\tchain FORWARD { # handle 2',
      ...rules.map((rule, i) => `\t\t${rule} # handle ${i + 10}`),
      '\t}',
      '}',
    ].join('\n');
  const dropping = (...rules: readonly string[]): string =>
    chain('type filter hook forward priority filter; policy drop;', ...rules).replace(
      'drop; # handle 10',
      'drop;',
    );

  it('nothing is needed where there is no chain, or one that accepts', () => {
    expect(missingRules('', 'ip', 'FORWARD', names)).toEqual([]);
    const accepting = chain('counter packets 3 bytes 180 accept');
    expect(missingRules(accepting, 'ip', 'FORWARD', names)).toEqual([]);
  });

  it('what is missing is put where something may drop', () => {
    expect(missingRules(dropping(), 'ip', 'FORWARD', names)).toEqual(forward);
    expect(
      missingRules(chain('counter packets 0 bytes 0 jump DOCKER-USER'), 'ip6', 'FORWARD', names),
    ).toEqual(forward);
    expect(missingRules(dropping(), 'ip', 'INPUT', names)).toEqual([
      'iifname "tt*" ip daddr 169.254.7.7 counter accept',
      'iifname "wt*" counter accept',
    ]);
    expect(missingRules(dropping(), 'ip6', 'INPUT', names)).toEqual([
      'iifname "wt*" counter accept',
    ]);
    const half = dropping('iifname "tt*" counter packets 5 bytes 300 accept');
    expect(missingRules(half, 'ip', 'FORWARD', names)).toEqual([forward[0], ...forward.slice(2)]);
  });

  it('only our own rules are taken away', () => {
    const text = dropping(
      'oifname "tt*" counter packets 5 bytes 300 accept',
      'oifname "ttx*" counter packets 5 bytes 300 accept',
      'counter packets 0 bytes 0 jump DOCKER-USER',
      'iifname "tt*" counter packets 0 bytes 0 accept',
      'iifname "wt*" counter packets 0 bytes 0 accept',
      'oifname "wt*" counter packets 0 bytes 0 accept',
    );
    expect(ownHandles(text, 'ip', 'FORWARD', names)).toEqual([11, 14, 15, 16]);
    expect(missingRules(text, 'ip', 'FORWARD', names)).toEqual([]);
  });
});

describe('events of attachments', () => {
  const told: string[] = [];
  const events = new AttachmentEvents(
    {
      emit: ({ action, actorId, attributes }) =>
        void told.push(
          [action, actorId, attributes.name, attributes.type, attributes.container].join(' '),
        ),
    },
    {
      find: (idOrName) =>
        ({ n1: localNetwork('n1', 'mine', 'bridge'), host: localNetwork('h1', 'host', 'host') })[
          idOrName
        ],
    },
  );
  const endpoint = (networkId: string, networkName: string): AttachedEndpoint =>
    ({ networkId, networkName }) as AttachedEndpoint;

  it('name each network with its driver, those of the cluster as overlay', () => {
    events.tell('connect', 'c1', 'networks', [endpoint('n1', 'mine'), endpoint('o1', 'front')]);
    events.tell('disconnect', 'c2', 'host', []);
    events.tell('connect', 'c3', 'networks', []);
    expect(told).toEqual([
      'connect n1 mine bridge c1',
      'connect o1 front overlay c1',
      'disconnect h1 host host c2',
    ]);
  });
});

function localNetwork(id: string, name: string, driver: LocalNetwork['driver']): LocalNetwork {
  return {
    id,
    name,
    driver,
    ipam: [],
    internal: false,
    attachable: false,
    labels: {},
    options: {},
    created: '',
  };
}

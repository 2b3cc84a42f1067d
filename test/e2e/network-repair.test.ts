// Goal: a node's network outlives its program, cleans up what nobody has, and puts right what others break. Method: the real network of a node in a
// namespace of its own; its program is killed and started again, rules, routes and interfaces are taken away. Needs root.
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AttachResult } from '#worker/network/types';
import {
  type Agent,
  containerId,
  eventually,
  HOST,
  NetworkLab,
} from '../support/network-lab/lab.ts';
import { container, NODE_ID, network, port, service } from '../support/network-lab/objects.ts';

const isRoot = process.getuid?.() === 0;
/** What the node promises. */
const REPAIR_MS = 2_000;

const STATE = {
  nodeId: NODE_ID,
  networks: [network('front', ['10.83.1.0/24', 'fd00:83:1::/64'])],
  endpoints: [
    service({
      name: 'web',
      vips: { front: '10.83.1.200' },
      tasks: { web1: { front: '10.83.1.21' } },
    }),
  ],
};

describe.skipIf(!isRoot)('a node’s network', () => {
  const lab = new NetworkLab('fix');
  const at: Record<string, AttachResult> = {};
  const as: Record<string, Agent> = {};

  beforeAll(async () => {
    await lab.start();
    await lab.restore();
    await lab.call('setState', STATE);
    // No container has IPv6 yet.
    lab.host('sysctl -qw net.ipv6.conf.out0.accept_ra=1');
    expect(lab.host('cat /proc/sys/net/ipv6/conf/all/forwarding').trim()).toBe('0');
    const wanted = {
      a: container({ front: ['10.83.1.10', 'fd00:83:1::10'] }, { names: ['a'] }),
      web1: container(
        { front: ['10.83.1.21', 'fd00:83:1::21'] },
        { taskId: 'web1', names: ['web1'], ports: [port('8080:80')] },
      ),
      local: container({ bridge: [] }, { names: ['local'] }),
    };
    for (const [name, request] of Object.entries(wanted)) {
      const result = await lab.attach(name, request);
      at[name] = result;
      as[name] = lab.agent(result.netnsPath);
    }
    as.outside = lab.agent('outside');
    await who('web1').serve(80, 'web1');
    await who('web1').serve(81, 'web1', '::');
  });
  afterAll(() => lab.destroy());

  function who(name: string): Agent {
    const agent = as[name];
    if (!agent) throw new Error(`no ${name}`);
    return agent;
  }

  async function works(): Promise<boolean> {
    const answers = await Promise.all([
      who('a').tcp('10.83.1.200', 80),
      who('a').tcp('fd00:83:1::21', 81),
      who('outside').tcp(HOST, 8080),
      who('a').resolve('web'),
    ]);
    return JSON.stringify(answers) === JSON.stringify(['web1', 'web1', 'web1', ['10.83.1.200']]);
  }

  function links(): string[] {
    const list = JSON.parse(lab.host('ip -j link show type veth')) as { ifname: string }[];
    return list.map(({ ifname }) => ifname).filter((name) => name.startsWith('tfix'));
  }

  function linkTo(address: string): string {
    const [route] = JSON.parse(lab.host(`ip -j route get ${address}`)) as { dev: string }[];
    return route?.dev ?? '';
  }

  const LIVE = ['a', 'web1', 'local'];

  it('lets the host listen to its IPv6 router when it begins to forward', () => {
    expect(lab.host('cat /proc/sys/net/ipv6/conf/all/forwarding').trim()).toBe('1');
    expect(lab.host('cat /proc/sys/net/ipv6/conf/out0/accept_ra').trim()).toBe('2');
  });

  describe('when its program ends', () => {
    it('goes on, keeps connections, and is taken over by the next', async () => {
      expect(await works()).toBe(true);
      await who('a').tcp('10.83.1.200', 80, { keep: 'vip' });
      await who('outside').tcp(HOST, 8080, { keep: 'published' });
      const before = links();
      await lab.stopNode('SIGKILL');
      expect(await works()).toBe(true);
      await lab.startNode();
      await lab.restore(LIVE, STATE);
      expect(await who('a').ask('talk', { key: 'vip', text: 'still there' })).toMatchObject({
        text: 'still there',
      });
      expect(await who('outside').ask('talk', { key: 'published', text: 'here' })).toMatchObject({
        text: 'here',
      });
      expect(await works()).toBe(true);
      expect(links().sort()).toEqual(before.sort());
      expect(await lab.call('stateOf', containerId('web1'))).toEqual(at.web1);
    });

    it('keeps what containers had: addresses and ports', async () => {
      const taken = container({ front: ['10.83.1.30'] }, { ports: [port('8080:80')] });
      await expect(lab.attach('taken', taken)).rejects.toThrow(
        /already allocated \(by container web1/,
      );
      const other = await lab.attach('other', container({ bridge: [] }));
      expect(other.endpoints[0]?.ipv4).not.toBe(at.local?.endpoints[0]?.ipv4);
      await lab.detach('other');
    });

    it('sweeps what belongs to nobody', async () => {
      await lab.attach('gone', container({ front: ['10.83.1.40'] }, { names: ['gone'] }));
      const [dead] = links().filter((name) => name === linkTo('10.83.1.40'));
      expect(dead).toBeDefined();
      lab.host('ip link add tfixstray type veth peer name straypeer');
      await lab.stopNode('SIGKILL');
      await lab.startNode();
      await lab.restore(LIVE, STATE);
      await eventually(() => !links().includes(dead ?? '') && !links().includes('tfixstray'));
      expect(links().length).toBe(3);
      expect(existsSync(join(lab.folder, 'run/containers', `${containerId('gone')}.json`))).toBe(
        false,
      );
      expect(readdirSync(join(lab.folder, 'run/netns')).sort()).toEqual(
        LIVE.map(containerId).sort(),
      );
      expect(lab.host('nft list ruleset')).not.toContain('10.83.1.40');
      expect(await works()).toBe(true);
    });
  });

  describe('repairs', () => {
    /** Does the damage and waits until the node has seen it and has put it right. */
    async function repaired(what: string, damage: string, isBroken: () => boolean): Promise<void> {
      expect(await works(), what).toBe(true);
      const said = lab.log.length;
      const started = performance.now();
      lab.host(damage);
      const saw = (): boolean => /somebody else|again/.test(lab.log.slice(said));
      await eventually(() => saw() && !isBroken(), REPAIR_MS);
      await eventually(works, REPAIR_MS);
      expect(performance.now() - started).toBeLessThan(REPAIR_MS);
    }
    const hasTable = (): boolean => lab.host('nft list tables').includes('tswarm_fix');

    it('its rules, deleted as a whole', async () => {
      await repaired('table', 'nft delete table inet tswarm_fix', () => !hasTable());
    });

    it('its rules, flushed by a firewall that starts again', async () => {
      await repaired('ruleset', 'nft flush ruleset', () => !hasTable());
    });

    it('a single element', async () => {
      const link = linkTo('10.83.1.10');
      await repaired(
        'element',
        `nft delete element inet tswarm_fix bound4 '{ "${link}" . 10.83.1.10 }'`,
        () => !lab.host('nft list set inet tswarm_fix bound4').includes('10.83.1.10'),
      );
    });

    it('a route', async () => {
      await repaired(
        'route',
        'ip route del 10.83.1.21/32',
        () => !linkTo('10.83.1.21').startsWith('tfix'),
      );
    });

    it('a route that was replaced', async () => {
      await repaired(
        'replaced route',
        'ip route replace 10.83.1.21/32 dev out0',
        () => !linkTo('10.83.1.21').startsWith('tfix'),
      );
    });

    it('an IPv6 route', async () => {
      await repaired(
        'route6',
        'ip -6 route del fd00:83:1::21/128',
        () => !linkTo('fd00:83:1::21').startsWith('tfix'),
      );
    });

    it('an interface that was set down', async () => {
      const link = linkTo('10.83.1.21');
      await repaired('down', `ip link set ${link} down`, () =>
        lab.host(`ip -br link show ${link}`).includes('DOWN'),
      );
    });

    it('an interface that was deleted, with the container’s side', async () => {
      const link = linkTo('10.83.1.21');
      await repaired('deleted', `ip link del ${link}`, () => !links().includes(link));
      expect(lab.inside(at.web1?.netnsPath ?? '', 'ip -br addr show eth0')).toContain('10.83.1.21');
    });

    it('an interface that the container deleted itself', async () => {
      const link = linkTo('10.83.1.10');
      lab.inside(at.a?.netnsPath ?? '', 'ip link del eth0');
      await eventually(() => links().includes(link) && linkTo('10.83.1.10') === link, REPAIR_MS);
      await eventually(works, 1_000);
    });

    it('forwarding that was switched off', async () => {
      await repaired(
        'forwarding',
        'sysctl -qw net.ipv4.ip_forward=0',
        () => lab.host('cat /proc/sys/net/ipv4/ip_forward').trim() !== '1',
      );
    });

    it('IPv6 forwarding that was switched off', async () => {
      await repaired(
        'forwarding6',
        'sysctl -qw net.ipv6.conf.all.forwarding=0',
        () => lab.host('cat /proc/sys/net/ipv6/conf/all/forwarding').trim() !== '1',
      );
    });

    it('does not take its own work for somebody else’s', async () => {
      const before = lab.log.length;
      for (let i = 0; i < 5; i++) {
        await lab.attach(`own${i}`, container({ front: [`10.83.1.${60 + i}`] }));
        await lab.call('connect', containerId(`own${i}`), {
          networkId: 'bridge',
          addresses: [],
          aliases: [],
          gwPriority: 0,
        });
      }
      await lab.call('disconnect', containerId('own0'), 'front');
      for (let i = 0; i < 5; i++) await lab.detach(`own${i}`);
      await eventually(() => links().length === 3);
      await new Promise((resolve) => setTimeout(resolve, 1_500));
      expect(lab.log.slice(before)).not.toMatch(/changed|again|switched/);
    });

    it('works on after its helper was killed', async () => {
      const mine = lab.host(`pgrep -P ${lab.nodePid} -x tswarm-net`).trim();
      lab.host(`kill -9 ${mine}; nft delete table inet tswarm_fix`);
      await eventually(hasTable, REPAIR_MS);
      await eventually(works, 1_000);
      lab.host('nft delete table inet tswarm_fix');
      await eventually(hasTable, REPAIR_MS);
    });
  });

  describe('takes away', () => {
    it('all of a container: interface, route, rules, names, files, namespace', async () => {
      const request = container(
        { front: ['10.83.1.70'] },
        { names: ['short'], ports: [port('8099:80')] },
      );
      const { netnsPath } = await lab.attach('short', request);
      expect(lab.host('nft list ruleset')).toContain('10.83.1.70');
      await lab.detach('short');
      expect(lab.host('nft list ruleset')).not.toMatch(/10\.83\.1\.70|8099/);
      expect(existsSync(netnsPath)).toBe(false);
      await eventually(() => links().length === 3, 1_000);
      expect(lab.host('ip route')).not.toContain('10.83.1.70');
      expect(await lab.call('stateOf', containerId('short'))).toBeUndefined();
    });

    it('an interface that a forgotten process holds', async () => {
      const { netnsPath } = await lab.attach('held', container({ front: ['10.83.1.71'] }));
      const link = linkTo('10.83.1.71');
      const agent = lab.agent(netnsPath);
      await agent.serve(80, 'held');
      await lab.detach('held');
      // Nobody gets there any more, whatever holds the namespace …
      expect(await who('a').tcp('10.83.1.71', 80)).not.toBe('held');
      // … and the interface goes too.
      await eventually(() => !links().includes(link), 8_000);
      await agent.end();
    });

    it('leaves nothing when an attachment fails', async () => {
      const before = lab.host('nft list ruleset');
      const bad = container({ front: ['10.83.1.72'] }, { sysctls: { 'net.ipv4.nonsense': '1' } });
      await expect(lab.attach('bad', bad)).rejects.toThrow(/net\.ipv4\.nonsense/);
      await expect(lab.attach('bad', container({ nowhere: [] }))).rejects.toThrow(
        'network nowhere not found',
      );
      expect(lab.host('nft list ruleset')).toBe(before);
      expect(links().length).toBe(3);
      expect(readdirSync(join(lab.folder, 'run/netns')).sort()).toEqual(
        LIVE.map(containerId).sort(),
      );
      expect(readdirSync(join(lab.folder, 'run/containers')).length).toBe(3);
    });

    it('everything when the node leaves', async () => {
      await lab.call('removeAll');
      expect(lab.host('nft list tables')).not.toContain('tswarm');
      await eventually(() => links().length === 0);
      expect(lab.host('ip route')).not.toContain('10.83');
      expect(readdirSync(join(lab.folder, 'run/netns'))).toEqual([]);
      await eventually(
        () => lab.host('pgrep tswarm-names -f -a || true').includes(lab.folder) === false,
      );
    });
  });
});

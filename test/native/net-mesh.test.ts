// tswarm-net's requests for the network between nodes: interfaces, routing items, what there is of them, events, probes. Method: the real program in a network
// namespace of its own; what it made is read by ip and bridge in the same namespace. The kernel's WireGuard is tested in the virtual machine. Needs root.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { PATIENCE, program } from './programs.ts';

const isRoot = process.getuid?.() === 0;
const TABLE = 0x7473_0001;
const DOOR = {
  name: 'wx0x',
  kind: 'vxlan',
  mac: '02:00:00:00:00:01',
  mtu: 1350,
  vxlan: { id: 7, port: 24789, local: 'fd74:7377:6d00:1::1' },
};
const ITEMS = [
  { kind: 'neighbour', link: 'wx0x', mac: '02:00:00:00:00:02', address: 'fe80::2' },
  { kind: 'fdb', link: 'wx0x', mac: '02:00:00:00:00:02', to: 'fd74:7377:6d00:1::2' },
  { kind: 'route', to: '10.9.0.1/32', link: 'wx0x', table: 254 },
  { kind: 'route', to: '0.0.0.0/0', link: 'wx0x', table: TABLE, via: 'fe80::2' },
  { kind: 'route', to: '::/0', link: 'wx0x', table: TABLE, via: 'fe80::2' },
  { kind: 'rule', family: 4, priority: 7490 },
  { kind: 'rule', family: 4, priority: 7474, mark: 0, mask: 0x7ff0_0000, goto: 7490 },
  { kind: 'rule', family: 4, priority: 7475, mark: 0x10_0000, mask: 0x7ff0_0000, table: TABLE },
  { kind: 'rule', family: 6, priority: 7473, to: 'fd74:7377:6d00::/48', table: 254 },
];
const LOOK = { links: 'wx0', ruleMin: 7473, ruleMax: 7490 };

type Answer = Record<string, unknown> & { readonly ok: boolean };

let child: ChildProcess;
let waiting: ((answer: Answer) => void)[] = [];
let events: unknown[] = [];

function ask(op: string, request: object = {}): Promise<Answer> {
  const answer = new Promise<Answer>((resolve) => waiting.push(resolve));
  child.stdin?.write(`${JSON.stringify({ id: 1, op, ...request })}\n`);
  return answer;
}

function sh(command: string): string {
  const args = ['-t', String(child.pid), '-n', '--', 'sh', '-ec', command];
  return execFileSync('nsenter', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

async function eventually(check: () => boolean): Promise<void> {
  for (let i = 0; i < 200 * PATIENCE && !check(); i++) await new Promise((r) => setTimeout(r, 10));
  expect(check()).toBe(true);
}

describe.skipIf(!isRoot)('tswarm-net between nodes', () => {
  beforeEach(async () => {
    waiting = [];
    events = [];
    child = spawn('unshare', ['-n', program('tswarm-net')], { stdio: ['pipe', 'pipe', 'inherit'] });
    if (!child.stdout) throw new Error('no stdout');
    createInterface(child.stdout).on('line', (line) => {
      const answer = JSON.parse(line) as Answer;
      if (answer.event === undefined) waiting.shift()?.(answer);
      else events.push(answer.what);
    });
    const set = { name: 'wx0x', mtu: 1350, addresses: ['fd74:7377:6d00:1::1/128'] };
    expect(await ask('link', { make: DOOR, set })).toMatchObject({ ok: true, made: true });
    // Once more is no error, and makes nothing.
    expect(await ask('link', { make: DOOR, set })).toMatchObject({ ok: true, made: false });
  });
  afterEach(async () => {
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.stdin?.end();
    expect(await ended).toBe(0);
  });

  it('makes an interface with its settings', () => {
    const shown = sh('ip -d link show wx0x; ip -6 -br addr show wx0x');
    expect(shown).toContain('mtu 1350');
    expect(shown).toContain('link/ether 02:00:00:00:00:01');
    expect(shown).toMatch(/vxlan id 7 local fd74:7377:6d00:1::1 .*dstport 24789 nolearning/);
    expect(shown).toContain('udp6zerocsumrx');
    expect(shown).toContain('fd74:7377:6d00:1::1/128');
    expect(shown).not.toContain('fe80');
    expect(sh('cat /proc/sys/net/ipv4/conf/wx0x/rp_filter')).toBe('0\n');
  });

  it('adds routing items, again without harm, shows them, and removes them, again without harm', async () => {
    for (let i = 0; i < 2; i++) {
      expect(await ask('routing', { add: ITEMS, remove: [] })).toMatchObject({ ok: true });
    }
    expect(sh('ip neigh show dev wx0x')).toContain('fe80::2 lladdr 02:00:00:00:00:02 PERMANENT');
    expect(sh('bridge fdb show dev wx0x')).toContain(
      '02:00:00:00:00:02 dst fd74:7377:6d00:1::2 self permanent',
    );
    expect(sh(`ip route show table ${TABLE}`)).toMatch(/default via inet6 fe80::2 dev wx0x/);
    expect(sh('ip rule').match(/747[0-9]|7490/g)).toHaveLength(4);
    expect(sh('ip rule')).toContain('fwmark 0x100000/0x7ff00000 lookup 1953693697');
    expect(sh('ip -6 rule')).toContain('from all to fd74:7377:6d00::/48 lookup main');
    const found = await ask('inspect-mesh', LOOK);
    expect(found.links).toEqual([{ name: 'wx0x', mtu: 1350, up: true }]);
    expect(found.routes).toHaveLength(3);
    expect(found.routes).toContainEqual({
      table: TABLE,
      length: 0,
      link: 'wx0x',
      to: '0.0.0.0',
      via: 'fe80::2',
    });
    expect(found.rules).toContainEqual({
      family: 4,
      priority: 7475,
      mark: 0x10_0000,
      mask: 0x7ff0_0000,
      table: TABLE,
      goto: 0,
      length: 0,
    });
    for (let i = 0; i < 2; i++) {
      expect(await ask('routing', { add: [], remove: ITEMS })).toMatchObject({ ok: true });
    }
    expect(await ask('inspect-mesh', LOOK)).toMatchObject({ routes: [], rules: [] });
    await ask('delete', { links: ['wx0x'] });
    expect(await ask('routing', { add: [], remove: ITEMS })).toMatchObject({ ok: true });
    expect(await ask('routing', { add: ITEMS, remove: [] })).toMatchObject({
      ok: false,
      error: { message: expect.stringContaining('no interface wx0x') },
    });
  });

  it('does the other items when one is wrong, and names it', async () => {
    const wrong = { kind: 'route', to: '10.9.0.300/32', link: 'wx0x' };
    const answer = await ask('routing', { add: [wrong, ...ITEMS], remove: [] });
    expect(answer).toMatchObject({ ok: false, error: { code: 'invalid' } });
    expect(sh('ip route show 10.9.0.1')).toContain('dev wx0x');
    for (const item of [{}, { kind: 'what' }, { kind: 'rule', family: 5 }, { kind: 'fdb' }]) {
      expect(await ask('routing', { add: [item] })).toMatchObject({
        ok: false,
        error: { code: 'invalid' },
      });
    }
  });

  it('tells what somebody else takes away, and not what it does itself', async () => {
    await ask('watch', {
      table: 'tswarm_x',
      links: 'tx',
      mesh: 'wx0',
      ruleMin: 7473,
      ruleMax: 7490,
    });
    await ask('routing', { add: ITEMS, remove: [] });
    await ask('routing', { add: [], remove: ITEMS });
    await ask('routing', { add: ITEMS, remove: [] });
    await new Promise((r) => setTimeout(r, 100));
    expect(events).toEqual([]);
    for (const [harm, what] of [
      ['ip route del 10.9.0.1/32', 'routes'],
      [`ip route flush table ${TABLE}`, 'routes'],
      ['ip rule del priority 7475', 'routes'],
      ['ip neigh del fe80::2 dev wx0x', 'routes'],
      ['ip link set wx0x down', 'links'],
      ['ip link del wx0x', 'links'],
    ] as const) {
      events = [];
      sh(harm);
      await eventually(() => events.includes(what));
    }
  });

  it('knows the MTU of a way, by the route’s own or its interface', async () => {
    sh(
      'ip link add d0 type veth peer name d1; ip link set d0 mtu 1400 up; ip link set d1 up; ip addr add 192.0.2.1/24 dev d0',
    );
    sh('ip route add 198.51.100.0/24 via 192.0.2.2 mtu 1300');
    const to = ['192.0.2.9', '198.51.100.9', '203.0.113.1', 'x'];
    expect((await ask('path-mtu', { to })).mtus).toEqual([1400, 1300, null, null]);
  });

  it('says that this kernel has no WireGuard, or refuses an interface that is none', async () => {
    const answer = await ask('wireguard-get', { link: 'wx0x' });
    expect(answer.ok).toBe(false);
    expect(await ask('wireguard-set', { link: '', peers: [] })).toMatchObject({
      ok: false,
      error: { code: 'invalid' },
    });
  });

  it('probes addresses, with small and full packets', () => {
    sh('ip link set lo up; ip -6 addr add fd74::1/128 dev lo');
    const run = (...args: string[]): string =>
      sh([program('tswarm-net'), 'probe', ...args].join(' '));
    expect(JSON.parse(run('1420', 'fd74::1', 'fd74::2'))).toEqual([
      { address: 'fd74::1', sent: 4, received: 4, rttMs: expect.any(Number), full: true },
      expect.objectContaining({ address: 'fd74::2', received: 0, full: false }),
    ]);
    expect(() => run('100', 'fd74::1')).toThrow();
    expect(() => run('1420', 'nonsense')).toThrow();
  });
});

// tswarm-net: every request by itself, right and wrong ones. Method: the real program in a network and a mount namespace of its own; what it made is read
// by ip and nft in the same namespaces. Needs root.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { PATIENCE, program } from './programs.ts';

const isRoot = process.getuid?.() === 0;

interface Answer {
  readonly id: number;
  readonly ok: boolean;
  readonly error?: { readonly code: string; readonly message: string; readonly errno: number };
  readonly [member: string]: unknown;
}

class Net {
  readonly folder: string = mkdtempSync(join(tmpdir(), 'tswarm-netc-'));
  readonly child: ChildProcess;
  readonly events: Record<string, unknown>[] = [];
  readonly #waiting: ((answer: Answer) => void)[] = [];
  errors = '';

  constructor() {
    this.child = spawn('unshare', ['-nm', program('tswarm-net')], {
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    this.child.stderr?.on('data', (data) => {
      this.errors += String(data);
    });
    if (!this.child.stdout) throw new Error('no stdout');
    createInterface(this.child.stdout).on('line', (line) => {
      const answer = JSON.parse(line) as Answer & { event?: string };
      if (answer.event !== undefined) this.events.push(answer);
      else this.#waiting.shift()?.(answer);
    });
  }

  /** Answers come in the order of the requests. */
  line(text: string): Promise<Answer> {
    const answer = new Promise<Answer>((resolve) => this.#waiting.push(resolve));
    this.child.stdin?.write(`${text}\n`);
    return answer;
  }

  ask(op: string, request: object = {}): Promise<Answer> {
    return this.line(JSON.stringify({ id: 7, op, ...request }));
  }

  sh(command: string): string {
    const args = ['-t', String(this.child.pid), '-n', '-m', '--', 'sh', '-ec', command];
    return execFileSync('nsenter', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  }

  inside(name: string, command: string): string {
    return this.sh(`nsenter --net=${this.path(name)} -- ${command}`);
  }

  path(name: string): string {
    return join(this.folder, name);
  }

  /** Nobody listens there, but somebody says so. */
  reaches(address: string): boolean {
    const call = `timeout 1 bash -c 'exec 3<>/dev/tcp/${address}/9' 2>&1 || true`;
    return this.sh(call).includes('Connection refused');
  }

  links(): string[] {
    return (JSON.parse(this.sh('ip -j link')) as { ifname: string }[])
      .map(({ ifname }) => ifname)
      .filter((name) => name !== 'lo' && name.startsWith('tx'));
  }

  async end(): Promise<number | null> {
    const ended = new Promise<number | null>((resolve) => this.child.once('exit', resolve));
    this.child.stdin?.end();
    const code = await ended;
    rmSync(this.folder, { recursive: true });
    return code;
  }
}

interface Itf {
  readonly host: string;
  readonly name: string;
  readonly last: number;
  readonly defaultRoute?: boolean;
  readonly v6?: boolean;
}

function itf({ host, name, last, defaultRoute = true, v6 = false }: Itf): object {
  return {
    host,
    name,
    mac: `02:42:0a:00:00:0${last}`,
    hostMac: `02:43:0a:00:00:0${last}`,
    mtu: 1400,
    v4: {
      address: `10.7.${last}.2`,
      gateway: `10.7.${last}.1`,
      subnet: `10.7.${last}.0/24`,
      defaultRoute,
    },
    ...(v6
      ? {
          v6: {
            address: `fd00:7::${last}2`,
            gateway: 'fd00:7::1',
            subnet: 'fd00:7::/64',
            defaultRoute,
          },
        }
      : {}),
  };
}

const DNS = '169.254.9.9';

describe.skipIf(!isRoot)('tswarm-net', () => {
  let net: Net;

  beforeEach(() => {
    net = new Net();
  });
  afterEach(async () => {
    expect(await net.end()).toBe(0);
    expect(net.errors).toBe('');
  });

  function attach(name: string, interfaces: readonly object[], more: object = {}): Promise<Answer> {
    return net.ask('attach', { netns: net.path(name), dns: DNS, interfaces, sysctls: {}, ...more });
  }

  it('makes a namespace with its interfaces, routes and settings', async () => {
    const answer = await attach('a', [itf({ host: 'txa', name: 'eth0', last: 5, v6: true })], {
      sysctls: { 'net.ipv4.ip_unprivileged_port_start': '0' },
    });
    expect(answer).toEqual({ id: 7, ok: true });
    const routes = net.inside('a', 'ip route show table all').replace(/ +\n/g, '\n');
    expect(routes).toContain('default via 10.7.5.1 dev eth0 proto static src 10.7.5.2 onlink\n');
    expect(routes).toContain(
      '10.7.5.0/24 via 10.7.5.1 dev eth0 proto static src 10.7.5.2 onlink\n',
    );
    expect(routes).toContain('127.0.0.11 via 10.7.5.1 dev eth0 table local');
    expect(net.inside('a', 'ip -6 route show default')).toContain('default via fd00:7::1 dev eth0');
    expect(net.inside('a', 'ip -br addr')).toMatch(
      /^lo\s+UNKNOWN\s+127.0.0.1\/8 ::1\/128 *\neth0@\S+\s+UP\s+10.7.5.2\/32 fd00:7::52\/128 *\n$/,
    );
    expect(net.inside('a', 'ip link show eth0')).toMatch(/mtu 1400.*\n.*02:42:0a:00:00:05/);
    expect(net.inside('a', 'cat /proc/sys/net/ipv4/ip_unprivileged_port_start')).toBe('0\n');
    expect(net.sh('ip -br addr show txa')).toMatch(
      /UP\s+10.7.5.1\/32 169.254.9.9\/32 fd00:7::1\/128/,
    );
    expect(net.sh('ip route get 10.7.5.2')).toContain('dev txa');
    expect(net.sh('ip neigh show dev txa')).toContain(
      '10.7.5.2 lladdr 02:42:0a:00:00:05 PERMANENT',
    );
    expect(net.sh('cat /proc/sys/net/ipv4/conf/txa/route_localnet')).toBe('1\n');
    expect(net.reaches('10.7.5.2')).toBe(true);
  });

  it('leaves nothing of what fails, wherever it fails', async () => {
    await attach('a', [itf({ host: 'txa', name: 'eth0', last: 5 })]);
    const good = itf({ host: 'txb', name: 'eth0', last: 6 });
    const wrong: readonly (readonly [object[], object, RegExp])[] = [
      [[good, itf({ host: 'txa', name: 'eth1', last: 7 })], {}, /txa: File exists/],
      [[good, itf({ host: 'txc', name: 'eth0', last: 7 })], {}, /txc: File exists|eth0/],
      [[{ ...good, mac: 'x' }], {}, /not a MAC address: x/],
      [
        [{ ...good, v4: { address: '10.7.6.300', gateway: '10.7.6.1', subnet: '10.7.6.0/24' } }],
        {},
        /not an address: 10.7.6.300/,
      ],
      [[{ ...good, host: 'x'.repeat(16) }], {}, /at most 15 letters/],
      [[good], { sysctls: { 'net.ipv4.nonsense': '1' } }, /net.ipv4.nonsense/],
      [[good], { sysctls: { 'kernel.hostname': 'x' } }, /only net\.\* belongs/],
      [[good], { sysctls: { 'net.ipv4/../../kernel/hostname': 'x' } }, /only net\.\*/],
      [[good], { netns: join(net.folder, 'no/such/folder') }, /cannot create/],
    ];
    for (const [interfaces, more, message] of wrong) {
      const { ok, error } = await attach('b', interfaces, more);
      expect(ok).toBe(false);
      expect(error?.message).toMatch(message);
      expect(net.links()).toEqual(['txa']);
      expect(readdirSync(net.folder)).toEqual(['a']);
    }
    expect(await attach('b', [good])).toMatchObject({ ok: true });
  });

  it('connects, moves the default route, and deletes', async () => {
    await attach('a', [itf({ host: 'txa', name: 'eth0', last: 5 })]);
    const second = itf({ host: 'txb', name: 'eth1', last: 6, defaultRoute: false });
    const netns = net.path('a');
    expect(await net.ask('connect', { netns, dns: DNS, interfaces: [second] })).toMatchObject({
      ok: true,
    });
    expect(net.inside('a', 'ip route show default')).toContain('dev eth0');
    const other = itf({ host: 'txb', name: 'eth1', last: 6 });
    await net.ask('default-routes', { netns, interfaces: [other] });
    expect(net.inside('a', 'ip route show default')).toBe(
      'default via 10.7.6.1 dev eth1 proto static src 10.7.6.2 onlink \n',
    );
    expect(net.inside('a', 'ip route show table local 127.0.0.11')).toContain(
      'via 10.7.6.1 dev eth1',
    );
    expect(await net.ask('delete', { links: ['txa', 'txgone'] })).toMatchObject({ ok: true });
    expect(net.links()).toEqual(['txb']);
    expect(net.inside('a', 'ip -br link')).not.toContain('eth0');
  });

  it('lets a namespace go with all that is in it', async () => {
    for (let i = 1; i < 9; i++)
      await attach(`n${i}`, [itf({ host: `txn${i}`, name: 'eth0', last: i })]);
    for (let i = 1; i < 9; i++)
      await net.ask('detach', { netns: net.path(`n${i}`), links: [`txn${i}`] });
    expect(readdirSync(net.folder)).toEqual([]);
    for (let i = 0; i < 300 * PATIENCE && net.links().length > 0; i++)
      await new Promise((r) => setTimeout(r, 10));
    expect(net.links()).toEqual([]);
  });

  it('inspects and counts', async () => {
    await attach('a', [itf({ host: 'txa', name: 'eth0', last: 5, v6: true })]);
    await attach('b', [itf({ host: 'txb', name: 'eth0', last: 6 })]);
    // A new namespace has the host's.
    await net.ask('sysctl', { values: { 'net.ipv4.ip_forward': '0' } });
    net.sh('ip link set txb down; ip link add other type veth peer name other2');
    expect(await net.ask('inspect', { links: 'tx' })).toMatchObject({
      links: [
        { name: 'txa', up: true },
        { name: 'txb', up: false },
      ],
      routes: expect.arrayContaining([
        { to: '10.7.5.2', link: 'txa' },
        { to: 'fd00:7::52', link: 'txa' },
      ]),
      forwarding: { v4: false, v6: false },
    });
    expect(net.reaches('10.7.5.2')).toBe(true);
    const { counters } = await net.ask('counters', { links: ['txa', 'nope'] });
    const [first, second] = counters as [Record<string, number>, null];
    expect(first.tx_packets).toBeGreaterThan(0);
    expect(second).toBeNull();
  });

  it('runs nft commands as one transaction and says what was wrong', async () => {
    const script =
      'table inet t {\nset s {\ntype ipv4_addr\n}\n}\nadd element inet t s { 10.0.0.1 }\n';
    expect(await net.ask('nft', { script })).toMatchObject({ ok: true });
    const half = 'add element inet t s { 10.0.0.2 }\nadd element inet nope s { 10.0.0.3 }\n';
    expect((await net.ask('nft', { script: half })).error?.message).toMatch(/No such file|nope/);
    const { output } = await net.ask('nft-list', { script: 'list set inet t s' });
    expect(output).toContain('elements = { 10.0.0.1 }');
    expect((await net.ask('nft', { script: 'nonsense' })).error?.message).toContain('syntax error');
    expect(await net.ask('nft', { script: 'delete table inet t' })).toMatchObject({ ok: true });
  });

  it('forgets the flows that are meant and no others', async () => {
    await attach('a', [itf({ host: 'txa', name: 'eth0', last: 5 })]);
    net.sh(
      "printf 'table ip t {\\nchain c {\\ntype filter hook output priority 0\\nct state new accept\\n}\\n}\\n' | nft -f -",
    );
    const flows = (): number => Number(net.sh('cat /proc/sys/net/netfilter/nf_conntrack_count'));
    const send = (address: string, port: number): string =>
      net.sh(`bash -c 'echo x > /dev/udp/${address}/${port}'`);
    net.sh('ip link set lo up');
    for (const port of [53, 54]) send('10.7.5.2', port);
    send('127.0.0.1', 53);
    expect(flows()).toBe(3);
    expect(
      await net.ask('conntrack', { udp: [{ front: '10.7.5.2', port: 54, backend: '10.9.9.9' }] }),
    ).toMatchObject({ flows: 0 });
    expect(await net.ask('conntrack', { udp: [{ front: '10.7.5.2', port: 54 }] })).toMatchObject({
      flows: 1,
    });
    expect(await net.ask('conntrack', { udp: [{ port: 53, backend: '10.7.5.2' }] })).toMatchObject({
      flows: 1,
    });
    expect(await net.ask('conntrack', { gone: ['10.7.5.2'] })).toMatchObject({ flows: 0 });
    expect(await net.ask('conntrack', { gone: ['127.0.0.1'] })).toMatchObject({ flows: 1 });
    expect(flows()).toBe(0);
    expect((await net.ask('conntrack', { udp: [{ backend: '10.0.0.1' }] })).error?.code).toBe(
      'invalid',
    );
    expect((await net.ask('conntrack', { gone: ['x'] })).error?.code).toBe('invalid');
    // One that is not answered, and one that is refused.
    const drop =
      'add table ip t; add chain ip t in { type filter hook input priority 0; }; add rule ip t in meta l4proto tcp drop';
    net.inside('a', `nft '${drop}'`);
    const call = (to: string): string =>
      net.sh(`timeout 1 bash -c 'echo > /dev/tcp/${to}' 2>/dev/null || true`);
    call('10.7.5.2/80');
    call('127.0.0.1/81');
    const ask = (port: number, backend: string) =>
      net.ask('conntrack', { unanswered: [{ port, backend }], udp: [{ port, backend }] });
    expect(await ask(80, '10.7.5.3')).toMatchObject({ flows: 0 });
    expect(await ask(80, '10.7.5.2')).toMatchObject({ flows: 1 });
    expect(await ask(81, '127.0.0.1')).toMatchObject({ flows: 0 });
    expect((await net.ask('conntrack', { unanswered: [{}] })).error?.message).toContain(
      'unanswered: a flow needs front or port',
    );
  });

  it(
    'leaves connections alone whose clients use their ports again',
    async () => {
      net.sh('ip link set lo up');
      const script = join(import.meta.dirname, 'port-reuse.ts');
      const args = ['-t', String(net.child.pid), '-n', '-m', '--', process.execPath, script];
      const clients = spawn('nsenter', args, { stdio: ['ignore', 'pipe', 'inherit'] });
      const lines = createInterface(clients.stdout)[Symbol.asyncIterator]();
      expect((await lines.next()).value).toBe('ready');
      let result = '';
      const end = lines.next().then(({ value }) => {
        result = String(value);
      });
      let forgotten = 0;
      while (result === '') {
        forgotten += Number((await net.ask('conntrack', { gone: ['127.0.0.2'] })).flows);
      }
      await end;
      const { second, broken } = JSON.parse(result);
      expect(broken).toBe(0);
      expect(second).toBeGreaterThan(0);
      expect(forgotten).toBeGreaterThan(0);
    },
    60_000 * PATIENCE,
  );

  it('reports what others change, and only that', async () => {
    expect(await net.ask('watch', { table: 'mine', links: 'tx' })).toMatchObject({ ok: true });
    const told = async (): Promise<string[]> => {
      await new Promise((resolve) => setTimeout(resolve, 150));
      return [...new Set(net.events.splice(0).map(({ what }) => String(what)))].sort();
    };
    await net.ask('nft', { script: 'table inet mine {}\n' });
    await attach('a', [itf({ host: 'txa', name: 'eth0', last: 5 })]);
    await attach('b', [itf({ host: 'txb', name: 'eth0', last: 6 })]);
    await net.ask('delete', { links: ['txb'] });
    expect(await told()).toEqual([]);
    net.sh(
      'nft add table inet other; nft delete table inet other; ip link add y1 type veth peer name y2; ip link del y1',
    );
    expect(await told()).toEqual([]);
    net.sh('nft add chain inet mine c');
    expect(await told()).toEqual(['rules']);
    net.sh('nft add table ip filter');
    expect(await told()).toEqual(['firewall']);
    net.sh('ip route del 10.7.5.2');
    expect(await told()).toEqual(['routes']);
    net.sh('ip link set txa down');
    expect(await told()).toContain('links');
    await net.ask('repair', {
      netns: net.path('a'),
      dns: DNS,
      interfaces: [itf({ host: 'txa', name: 'eth0', last: 5 })],
    });
    expect(net.sh('ip route get 10.7.5.2')).toContain('dev txa');
    await told();
    net.sh('ip link del txa');
    expect(await told()).toEqual(['links']);
    await net.ask('repair', {
      netns: net.path('a'),
      dns: DNS,
      interfaces: [itf({ host: 'txa', name: 'eth0', last: 5 })],
    });
    expect(net.reaches('10.7.5.2')).toBe(true);
    net.sh('echo 1 > /proc/sys/net/ipv4/ip_forward; echo 0 > /proc/sys/net/ipv4/ip_forward');
    expect(await told()).toEqual(['forwarding']);
  });

  it('reports the end of a process', async () => {
    const sleeper = spawn('sleep', ['100']);
    const stat = execFileSync('cat', [`/proc/${sleeper.pid}/stat`], { encoding: 'utf8' });
    const startTime = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]);
    const pid = sleeper.pid ?? 0;
    expect((await net.ask('watch-process', { pid, startTime: startTime + 1 })).ok).toBe(false);
    expect(await net.ask('watch-process', { pid, startTime })).toMatchObject({ ok: true });
    sleeper.kill('SIGKILL');
    for (let i = 0; i < 200 * PATIENCE && net.events.length === 0; i++)
      await new Promise((r) => setTimeout(r, 10));
    expect(net.events).toEqual([{ event: 'ended', pid }]);
  });

  it('answers every line, in order, also nonsense', async () => {
    const lines = [
      'nonsense',
      '{"id":1}',
      '{"id":2,"op":"what"}',
      '[]',
      '{"id":3,"op":"attach"}',
      '{"id":4,"op":"inspect","links":"tx"}',
    ];
    const answers = await Promise.all(lines.map((line) => net.line(line)));
    expect(answers.map(({ id, ok }) => [id, ok])).toEqual([
      [0, false],
      [1, false],
      [2, false],
      [0, false],
      [3, false],
      [4, true],
    ]);
    for (const op of ['attach', 'connect', 'repair', 'default-routes', 'nft', 'inspect', 'watch']) {
      expect(await net.ask(op)).toMatchObject({ ok: false, error: { code: 'invalid' } });
      expect(await net.ask(op, { interfaces: 5, netns: [], script: {}, links: 1 })).toMatchObject({
        ok: false,
      });
    }
  });
});

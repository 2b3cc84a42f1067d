// Three hosts with a mesh between them, for tests of the network across hosts: what the cluster tells each, the containers on them, and captures of what is
// on the wire. Hosts check senders strictly and forward nothing unknown, as some distributions set them up.
import { type ChildProcess, spawn } from 'node:child_process';
import { MeshPeer, type ServiceEndpoints } from '#protocol/generated/dispatcher';
import type { AttachResult, MeshDescription } from '#worker/network/types';
import { type Agent, NetworkLab, SharedWorld } from './lab.ts';
import { container, network, port, service } from './objects.ts';

const FRONT = network('front', ['10.84.1.0/24', 'fd00:84:1::/64']);
const BACK = network('back', ['10.84.2.0/24']);
/** An administrator trusts the network between the hosts. */
export const OPEN = network('open', ['10.84.3.0/24'], { options: { backend: 'vxlan' } });
/** The same, by plain routes. */
export const PLAIN = network('plain', ['10.84.4.0/24', 'fd00:84:4::/64'], {
  options: { backend: 'host-gw' },
});
/** As some distributions and firewalls set up their hosts: senders are checked strictly, nothing unknown is forwarded. */
const STRICT_HOST = [
  'sysctl -qw net.ipv4.conf.all.rp_filter=1 net.ipv4.conf.default.rp_filter=1',
  'iptables -P FORWARD DROP; ip6tables -P FORWARD DROP',
  'ip6tables -A INPUT -p udp --dport 51820 -j ACCEPT; ip6tables -A INPUT -p tcp -j ACCEPT',
  'ip6tables -A INPUT -p icmpv6 --icmpv6-type 135 -j ACCEPT',
  'ip6tables -A INPUT -p icmpv6 --icmpv6-type 136 -j ACCEPT; ip6tables -P INPUT DROP',
].join('; ');
export const NODES = ['n1', 'n2', 'n3'] as const;
export type MeshNode = (typeof NODES)[number];

/** Tasks a1, a2, a3 of `app` on front, one per node; b1, b3 of `base` on back; `edge` published by the hosts, with tasks on n2 and n3 only. */
const APP = service({
  name: 'app',
  vips: { front: '10.84.1.200' },
  tasks: {
    a1: { front: '10.84.1.11' },
    a2: { front: '10.84.1.12' },
    a3: { front: '10.84.1.13' },
  },
  nodes: { a1: 'n1', a2: 'n2', a3: 'n3' },
});
const BASE = service({
  name: 'base',
  tasks: { b1: { back: '10.84.2.11' }, b3: { back: '10.84.2.13' } },
  nodes: { b1: 'n1', b3: 'n3' },
});
export const WIDE = service({
  name: 'wide',
  vips: { open: '10.84.3.200' },
  tasks: { o1: { open: '10.84.3.11' }, o3: { open: '10.84.3.13' } },
  nodes: { o1: 'n1', o3: 'n3' },
});
export const STRAIGHT = service({
  name: 'straight',
  vips: { plain: '10.84.4.200' },
  tasks: { p1: { plain: '10.84.4.11' }, p3: { plain: '10.84.4.13' } },
  nodes: { p1: 'n1', p3: 'n3' },
});
const EDGE_PORTS = [
  port('8080:80', 'ingress'),
  port('8080:80/udp', 'ingress'),
  port('8080:80/sctp', 'ingress'),
];

const IPV6_SUBNETS: ReadonlyMap<string, string> = new Map([
  ['front', 'fd00:84:1::'],
  ['plain', 'fd00:84:4::'],
]);

export function withIpv6(endpoints: ServiceEndpoints): ServiceEndpoints {
  return {
    ...endpoints,
    backends: endpoints.backends.map((backend) => ({
      ...backend,
      attachments: backend.attachments.map((attachment) => ({
        ...attachment,
        addresses: attachment.addresses.flatMap((address) =>
          IPV6_SUBNETS.has(attachment.networkId)
            ? [
                `${address}/24`,
                `${IPV6_SUBNETS.get(attachment.networkId)}${address.split('.').at(-1)}/64`,
              ]
            : [`${address}/24`],
        ),
      })),
    })),
  };
}

function edge(tasks: Readonly<Record<string, MeshNode>>): ServiceEndpoints {
  const numbers: Readonly<Record<MeshNode, number>> = { n1: 21, n2: 22, n3: 23 };
  return withIpv6(
    service({
      name: 'edge',
      ports: EDGE_PORTS,
      tasks: Object.fromEntries(
        Object.entries(tasks).map(([task, node]) => [task, { front: `10.84.1.${numbers[node]}` }]),
      ),
      nodes: tasks,
    }),
  );
}

const EDGE = edge({ e2: 'n2', e3: 'n3' });

/**
 * Three hosts in namespaces of their own on one Ethernet, with the real network of a node on each, and containers `a1` … `e3` that serve on port 80.
 * Containers are known by their task's name, hosts by `n1` to `n3`.
 */
export class MeshHosts {
  readonly world = new SharedWorld();
  /** Public keys, as last learnt. */
  readonly keys = {} as Record<MeshNode, string>;
  /** task → what its container was attached to */
  readonly at: Record<string, AttachResult> = {};
  /** task → the program in its container; also `client`, outside, and `host n1` to `host n3` */
  readonly as: Record<string, Agent> = {};
  /** UDP ports of the mesh. */
  readonly ports: Record<MeshNode, number> = { n1: 51820, n2: 51820, n3: 51820 };
  /** By which family the hosts know each other. */
  underlay: 4 | 6 = 4;
  readonly #labs = {} as Record<MeshNode, NetworkLab>;
  readonly #captures: ChildProcess[] = [];
  readonly #tag: string;

  /** `tag`: of the hosts' names in the kernel; tests that run at the same time need different ones, for wireguard-go's sockets are all in one folder. */
  constructor(tag = 'mesh') {
    this.#tag = tag;
  }

  async start(): Promise<void> {
    await this.world.start();
    for (const [index, node] of NODES.entries()) {
      this.#labs[node] = new NetworkLab(`${this.#tag}${index}`, {
        world: { world: this.world, number: 11 + index },
      });
      await this.lab(node).start({ before: STRICT_HOST });
      await this.lab(node).restore();
      await this.learnKey(node);
    }
    await this.setAll();
    await this.attach('n1', 'a1', ['10.84.1.11', 'fd00:84:1::11']);
    await this.attach('n2', 'a2', ['10.84.1.12', 'fd00:84:1::12']);
    await this.attach('n3', 'a3', ['10.84.1.13', 'fd00:84:1::13']);
    await this.attach('n1', 'b1', ['10.84.2.11']);
    await this.attach('n3', 'b3', ['10.84.2.13']);
    await this.attach('n2', 'e2', ['10.84.1.22', 'fd00:84:1::22']);
    await this.attach('n3', 'e3', ['10.84.1.23', 'fd00:84:1::23']);
    this.as.client = this.lab('n1').agent('outside');
    for (const node of NODES) this.as[`host ${node}`] = this.lab(node).agent('');
  }

  async end(): Promise<void> {
    for (const capture of this.#captures) capture.kill('SIGKILL');
    await Promise.all(Object.values(this.#labs).map((one) => one.destroy()));
    this.world.end();
  }

  lab(node: MeshNode): NetworkLab {
    return this.#labs[node];
  }

  who(name: string): Agent {
    const agent = this.as[name];
    if (!agent) throw new Error(`no ${name}`);
    return agent;
  }

  /** The other hosts, as the cluster tells of them. */
  peersOf(node: MeshNode): MeshPeer[] {
    return NODES.filter((other) => other !== node).map((other) => {
      const { address, address6 } = this.lab(other);
      return MeshPeer.create({
        nodeId: other,
        hostname: other,
        wireguardKey: this.keys[other],
        addr: this.underlay === 4 ? address : address6,
        port: this.ports[other],
        hostAddrs: [address, address6],
      });
    });
  }

  /** What the cluster wants of a host. */
  stateOf(node: MeshNode): object {
    return {
      nodeId: node,
      networks: node === 'n2' ? [FRONT] : [FRONT, BACK],
      endpoints: [withIpv6(APP), ...(node === 'n2' ? [] : [BASE]), EDGE],
      peers: this.peersOf(node),
    };
  }

  setAll(): Promise<unknown> {
    return Promise.all(NODES.map((node) => this.lab(node).call('setState', this.stateOf(node))));
  }

  async learnKey(node: MeshNode): Promise<void> {
    this.keys[node] = (await this.lab(node).call<MeshDescription>('mesh')).wireguardKey;
  }

  /** A container of a task, on the network that its first address is of. */
  async attach(node: MeshNode, name: string, addresses: readonly string[]): Promise<void> {
    const on =
      ['front', 'back', 'open', 'plain'][Number(addresses[0]?.split('.')[2]) - 1] ?? 'front';
    const result = await this.lab(node).attach(
      name,
      container({ [on]: addresses }, { taskId: name, names: [name] }),
    );
    this.at[name] = result;
    this.as[name] = this.lab(node).agent(result.netnsPath);
    await this.who(name).serve(80, name, IPV6_SUBNETS.has(on) ? '::' : '0.0.0.0');
  }

  /** Everything that the interfaces of a network namespace, that of process `pid`, see while `work` goes on. */
  async captured(pid: number, work: () => Promise<void>): Promise<Buffer> {
    const code = [
      'use Socket; $| = 1',
      'socket(S, 17, 3, 768) or die; print STDERR "r"',
      // What has come until now is read (64: MSG_DONTWAIT), then it ends.
      '$SIG{TERM} = sub { while (defined(recv(S, $d, 65535, 64))) { print $d } exit 0 }',
      'while (defined(recv(S, $d, 65535, 0))) { print $d }',
    ].join('; ');
    const args = ['-t', String(pid), '-n', '--', 'perl', '-e', code];
    const child = spawn('nsenter', args, { stdio: ['ignore', 'pipe', 'pipe'] });
    this.#captures.push(child);
    const chunks: Buffer[] = [];
    child.stdout?.on('data', (data: Buffer) => chunks.push(data));
    await new Promise((resolve) => child.stderr?.once('data', resolve));
    await work();
    child.kill('SIGTERM');
    await new Promise((resolve) => child.once('close', resolve));
    return Buffer.concat(chunks);
  }

  /** What is on the Ethernet while a container (talking on the connection `secret`) says something, and `client` (on `plain`) the same in capitals. */
  async capturedOutside(
    secret: string,
    from = 'a1',
  ): Promise<{ plaintext: boolean; tunnel: boolean }> {
    const wire = await this.captured(this.world.pid, async () => {
      await this.who(from).ask('talk', { key: 'secret', text: secret });
      await this.who('client').ask('talk', { key: 'plain', text: secret.toUpperCase() });
    });
    const text = wire.toString('latin1');
    if (!text.includes(secret.toUpperCase()))
      throw new Error('what goes in clear was not captured');
    // Port 51820 as source and destination, then WireGuard's data message.
    const tunnel = text.includes('\xca\x6c\xca\x6c') && text.includes('\x04\x00\x00\x00');
    return { plaintext: text.includes(secret), tunnel };
  }
}

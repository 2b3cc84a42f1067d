// Goal: hosts behind translations of addresses (NAT) are on the mesh: one behind one with the others outside; two behind two that keep ports; two behind two that
// do not, through a third host, which can neither read nor forge nor reach more of them than WireGuard; and it is said when none can. Method: three hosts in
// namespaces, routers between them and the world, real sockets, captures. Needs root.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MeshPeer } from '#protocol/generated/dispatcher';
import { meshIdentity, relayAddress } from '#worker/network/mesh/addresses';
import type { NetworkReport } from '#worker/network/mesh/network-check';
import type { MeshDescription } from '#worker/network/types';
import { program } from '../../native/programs.ts';
import { eventually } from '../../support/network-lab/lab.ts';
import { MeshHosts, type MeshNode, NODES } from '../../support/network-lab/mesh-hosts.ts';
import { Nat, type PortChoice } from '../../support/network-lab/nat.ts';

const isRoot = process.getuid?.() === 0;
/** Some looks of the mesh's watch. */
const FOUND_MS = 90_000;

/** `n1` and `n2` behind a translation each, as the managers see them; `n3` outside. */
class Translated extends MeshHosts {
  readonly nats: Readonly<Record<string, Nat>> = { n1: new Nat(11), n2: new Nat(12) };
  /** Hosts that know of each other. */
  known: readonly MeshNode[] = NODES;

  override peersOf(node: MeshNode): MeshPeer[] {
    return super
      .peersOf(node)
      .filter(({ nodeId }) => this.known.includes(nodeId as MeshNode))
      .map((peer) => {
        const nat = this.nats[peer.nodeId];
        const number = peer.nodeId.slice(1);
        if (!nat) return peer;
        return MeshPeer.create({ ...peer, addr: nat.address, hostAddrs: [`10.20.1${number}.2`] });
      });
  }

  /** Both ends forget each other, and begin anew from other ports. */
  async anew(ports: PortChoice, port: number, known: readonly MeshNode[] = NODES): Promise<void> {
    this.known = [];
    await this.setAll();
    this.known = known;
    for (const nat of Object.values(this.nats)) nat.choose(ports);
    for (const node of ['n1', 'n2'] as const) {
      await this.lab(node).call('setMeshPort', port);
      this.ports[node] = (await this.lab(node).call<MeshDescription>('mesh')).port;
    }
    await this.setAll();
  }
}

describe.skipIf(!isRoot)('the mesh behind translations of addresses', () => {
  const mesh = new Translated('nat');
  const { nats } = mesh;
  const reaches = async (from: string, address: string, name: string): Promise<boolean> =>
    (await mesh.who(from).tcp(address, 80)) === name;
  const report = (node: MeshNode): Promise<NetworkReport> =>
    mesh.lab(node).call<NetworkReport>('checkNetwork');
  const placeOf = async (from: MeshNode, to: MeshNode): Promise<string | undefined> =>
    (await report(from)).peers.find(({ nodeId }) => nodeId === to)?.endpoint;

  beforeAll(async () => {
    await mesh.start();
    for (const node of ['n1', 'n2'] as const) await nats[node]?.start(mesh.lab(node), mesh.world);
  }, 240_000);
  afterAll(async () => {
    await mesh.end();
    for (const nat of Object.values(nats)) nat.end();
  });

  it('one host behind it is found by its own calls, also after a silence', async () => {
    nats.n1?.run('sysctl -qw net.netfilter.nf_conntrack_udp_timeout_stream=30');
    await mesh.anew('other', 52_001);
    await eventually(() => reaches('a1', '10.84.1.13', 'a3'), FOUND_MS);
    expect(await placeOf('n3', 'n1')).toMatch(/^192\.0\.2\.111:(?!52001)\d+$/);
    // Longer than the translation remembers without a word.
    await new Promise((resolve) => setTimeout(resolve, 40_000));
    expect(await reaches('a3', '10.84.1.11', 'a1')).toBe(true);
  }, 200_000);

  it('two behind two that keep ports meet', async () => {
    await mesh.anew('same', 52_002);
    await eventually(() => reaches('a1', '10.84.1.12', 'a2'), FOUND_MS);
    expect(await placeOf('n1', 'n2')).toBe('192.0.2.112:52002');
  }, 200_000);

  it('two behind two that do not, through a third, whole packets too', async () => {
    await mesh.anew('other', 52_003);
    await eventually(() => reaches('a1', '10.84.1.12', 'a2'), FOUND_MS);
    expect(await placeOf('n1', 'n2')).toBe('through n3');
    expect(await placeOf('n2', 'n1')).toBe('through n3');
    expect(await reaches('a2', 'fd00:84:1::11', 'a1')).toBe(true);
    const long = 'y'.repeat(60_000);
    await mesh.who('a1').tcp('10.84.1.12', 80, { keep: 'long' });
    expect(await mesh.who('a1').ask('talk', { key: 'long', text: long })).toMatchObject({
      text: long,
    });
    await eventually(async () => {
      const { faults, peers } = await report('n1');
      return faults.length === 0 && peers.every((peer) => peer.faults.length === 0);
    }, FOUND_MS);
  }, 200_000);

  it('the third cannot read what it passes on', async () => {
    const secret = 'only-for-the-other-end-0123456789';
    await mesh.who('a1').tcp('10.84.1.12', 80, { keep: 'secret' });
    const own = 'said-to-the-third-itself-0123456789';
    await mesh.who('a1').tcp('10.84.1.13', 80, { keep: 'own' });
    const seen = await mesh.captured(mesh.lab('n3').nodePid, async () => {
      await mesh.who('a1').ask('talk', { key: 'secret', text: secret });
      await mesh.who('a1').ask('talk', { key: 'own', text: own });
    });
    const text = seen.toString('latin1');
    // The test of the test: what is for it comes out of its tunnel in clear.
    expect(text.includes(own)).toBe(true);
    expect(text.includes(secret)).toBe(false);
  }, 60_000);

  it('nothing but WireGuard gets through it, and containers and senders of other kinds do not', async () => {
    const host = mesh.who('host n1');
    const listening = await mesh
      .who('host n2')
      .ask('listenUdp', { port: 7001, name: 'inside', address: '::' });
    expect(listening.error).toBeUndefined();
    const address = relayAddress('n3', 'n2');
    expect(await host.udp(address, 7001)).not.toBe('inside');
    expect(await host.tcp(address, 80)).not.toBe('a2');
    expect(await mesh.who('a1').udp(address, 52_003)).not.toBe('inside');
    // By itself it is reached by no port, either.
    expect(await host.udp(meshIdentity('n2').address, 7001)).not.toBe('inside');
    // The tests of the test: it listens, and echoes do go through.
    mesh.lab('n2').host('ip6tables -I INPUT -i lo -j ACCEPT');
    expect(await mesh.who('host n2').udp('::1', 7001)).toBe('inside');
    const echoes = mesh.lab('n1').host(`${program('tswarm-net')} probe 0 ${address}`);
    expect(JSON.parse(echoes)).toMatchObject([{ received: 3 }]);
  }, 60_000);

  it('outlives the restart of a node’s program', async () => {
    await mesh.lab('n1').stopNode('SIGKILL');
    expect(await reaches('a1', '10.84.1.12', 'a2')).toBe(true);
    await mesh.lab('n1').startNode();
    const known = mesh.stateOf('n1');
    await mesh.lab('n1').restore(['a1', 'b1'], { ...known, nodeId: '' } as never);
    await mesh.lab('n1').call('setState', known);
    await mesh.learnKey('n1');
    expect(await reaches('a1', '10.84.1.12', 'a2')).toBe(true);
    expect(await placeOf('n1', 'n2')).toBe('through n3');
  }, 60_000);

  it('is tried directly while something is said, too, and nothing breaks', async () => {
    // Both ways at once, so that there are always packets on the way through the relay.
    const ways = [1, 2, 3].flatMap((number) => [
      { from: 'a1', to: '10.84.1.12', key: `busy${number}` },
      { from: 'a2', to: '10.84.1.11', key: `busy${number}` },
    ]);
    const text = 'z'.repeat(2_000);
    let slowestMs = 0;
    let isDone = false;
    const talk = async ({ from, to, key }: (typeof ways)[number]): Promise<void> => {
      await mesh.who(from).tcp(to, 80, { keep: key });
      while (!isDone) {
        const began = performance.now();
        const answer = await mesh.who(from).ask('talk', { key, text });
        if (answer.text !== text) throw new Error(`broken: ${JSON.stringify(answer)}`);
        slowestMs = Math.max(slowestMs, performance.now() - began);
      }
    };
    const talking = Promise.all(ways.map(talk));
    const { n1, n2 } = nats;
    if (!n1 || !n2) throw new Error('no routers');
    const tries = [n1.counter(n2.address, 52_003), n2.counter(n1.address, 52_003)];
    // Time passes for the nodes; a look or two.
    const afterLooks = async (
      times: number,
      check: () => boolean | Promise<boolean>,
    ): Promise<void> => {
      for (let time = 0; !(await check()); time++) {
        if (time === times) throw new Error('it did not happen in time');
        for (const node of ['n1', 'n2'] as const) await mesh.lab(node).call('skipTime', 600_000);
        await new Promise((resolve) => setTimeout(resolve, 11_000));
      }
    };
    // Closed: tried by one of the two, and back at once.
    await afterLooks(8, () => tries.some((count) => count() > 0));
    await eventually(async () => (await placeOf('n1', 'n2')) === 'through n3', FOUND_MS);
    expect(slowestMs).toBeLessThan(3_000);
    for (const nat of [n1, n2]) nat.forward(52_003);
    const isDirect = async (from: MeshNode, to: MeshNode): Promise<boolean> =>
      (await placeOf(from, to))?.startsWith('192.0.2.') ?? false;
    // With the first try that can succeed, at the latest with the second.
    await afterLooks(2, async () => (await isDirect('n1', 'n2')) && (await isDirect('n2', 'n1')));
    isDone = true;
    await talking;
    expect(slowestMs).toBeLessThan(3_000);
  }, 260_000);

  it('says so when nobody reaches both', async () => {
    await mesh.anew('other', 52_004, ['n1', 'n2']);
    await eventually(async () => {
      const { faults } = await mesh.lab('n1').call<MeshDescription>('mesh');
      return faults.some(
        (fault) =>
          fault.startsWith('no answer from node n2: UDP to 192.0.2.112:52004; ') &&
          fault.includes('translation of addresses (NAT)') &&
          fault.includes('--mesh-addr'),
      );
    }, FOUND_MS);
    expect(await reaches('a1', '10.84.1.12', 'a2')).toBe(false);
  }, 200_000);
});

// Goal: nodes behind translations of addresses that do not reach each other are reached through one that both reach, chosen by one end, without disturbing others;
// a relayed peer is followed, tried directly again while nothing is said, and looked for anew when it is lost. Method: plans of three to forty nodes, a device and
// an echo of the test's own.
import { expect, it } from 'vitest';
import { MeshPeer } from '#protocol/generated/dispatcher';
import {
  RELAY_CANDIDATES_MAX,
  RELAY_DIRECT_BUSY_MS,
  RELAY_DIRECT_MS,
  RELAY_FIRST_MS,
  RELAY_OTHER_MS,
  RELAY_STALE_MS,
} from '#worker/network/limits';
import { meshIdentity, meshNames, relayAddress, relayIn } from '#worker/network/mesh/addresses';
import { type MeshPlan, planMesh } from '#worker/network/mesh/plan';
import { type Moment, RelayNeeds, relayName } from '#worker/network/mesh/relay';
import { RelayFinder } from '#worker/network/mesh/relay-finder';
import type { DevicePeer, DeviceState, PeerChange } from '#worker/network/mesh/wireguard';

const NOW = 10_000_000;
/** Keys in the order of their letters. */
const key = (letter: string): string => `${letter.repeat(42)}A=`;
const peer = (nodeId: string, isTranslated: boolean): MeshPeer =>
  MeshPeer.create({
    nodeId,
    hostname: `host-${nodeId}`,
    wireguardKey: key(nodeId.slice(-1)),
    addr: '198.51.100.7',
    port: 51820,
    hostAddrs: [isTranslated ? '10.0.0.7' : '198.51.100.7'],
  });
const planOf = (peers: readonly MeshPeer[], nodeId = 'na'): MeshPlan =>
  planMesh({
    nodeId,
    names: meshNames('x'),
    peers,
    services: [],
    networkIds: new Set(),
    clearIds: new Set(),
    directIds: new Set(),
    paths: new Map(),
    numbers: new Map(),
  });
/** `na` and `nb` are behind translations, `nr` is not. */
const PEERS = [peer('nb', true), peer('nr', false)];
const seen = (endpoint: string, ageMs?: number, bytes = 0): DevicePeer => ({
  endpoint,
  allowedIps: [],
  handshakeMs: ageMs === undefined ? 0 : NOW - ageMs,
  receivedBytes: bytes,
  sentBytes: 0,
});
const DIRECT = '198.51.100.7:51820';
const THROUGH = relayAddress('nr', 'nb');

function momentOf(peers: Readonly<Record<string, DevicePeer>>, more: Partial<Moment> = {}): Moment {
  const state: DeviceState = {
    publicKey: key('a'),
    listenPort: 51820,
    peers: new Map(Object.entries(peers).map(([letter, one]) => [key(letter), one])),
  };
  const knownForMs = (): number => RELAY_FIRST_MS;
  return { plan: planOf(PEERS), state, nowMs: NOW, monotonicMs: 0, knownForMs, ...more };
}

it('the addresses of a relay are its own, known again, and in its prefix', () => {
  expect(relayIn(`[${THROUGH}]:51820`)).toBe(THROUGH);
  expect(relayIn(DIRECT)).toBeUndefined();
  expect(relayIn(`[${meshIdentity('nb').address}]:51820`)).toBeUndefined();
  expect(relayAddress('nb', 'nr')).not.toBe(THROUGH);
  expect(meshIdentity('nr').relayPrefix).toMatch(/^fd74:7377:6d00:3:.*\/96$/);
  expect(relayName(planOf(PEERS), key('b'), THROUGH)).toBe('host-nr');
});

it('plans nothing of it where nobody is behind a translation, and lets only such nodes meet', () => {
  const plain = planOf([peer('nb', false), peer('nr', false)]);
  expect([plain.needsRelays, plain.relays.size]).toEqual([false, 0]);
  expect([...plain.peers.values()].map(({ allowedIps }) => allowedIps.length)).toEqual([1, 1]);
  // One end: the other may pass on to the one.
  const end = planOf(PEERS);
  expect([end.needsRelays, end.relays.size]).toEqual([true, 0]);
  expect(end.peers.get(key('r'))?.allowedIps).toContain(meshIdentity('nr').relayPrefix);
  expect(end.peers.get(key('b'))?.allowedIps).toHaveLength(1);
  expect([...end.routing.keys()].some((one) => one.includes(meshIdentity('nr').relayPrefix))).toBe(
    true,
  );
  // In the middle.
  const middle = planOf([peer('na', true), peer('nb', true), peer('nc', false)], 'nr');
  expect([...middle.relays]).toEqual([
    [relayAddress('nr', 'na'), meshIdentity('na').address],
    [relayAddress('nr', 'nb'), meshIdentity('nb').address],
  ]);
});

it('is for peers that do not answer, by those that do and are reached directly', () => {
  const due = (peers: Readonly<Record<string, DevicePeer>>, more: Partial<Moment> = {}) =>
    new RelayNeeds().due(momentOf(peers, more), new Set()).map(({ candidates }) => candidates);
  const near = seen(DIRECT, 1_000);
  expect(due({ b: seen(DIRECT), r: near })).toEqual([[THROUGH]]);
  expect(due({ b: seen(DIRECT, RELAY_STALE_MS + 1), r: near })).toEqual([[THROUGH]]);
  expect(due({ b: seen(DIRECT, RELAY_STALE_MS - 1), r: near })).toEqual([]);
  expect(due({ b: seen(DIRECT), r: near }, { knownForMs: () => RELAY_FIRST_MS - 1 })).toEqual([]);
  expect(due({ b: seen(DIRECT), r: seen(DIRECT) })).toEqual([]);
  expect(due({ b: seen(DIRECT), r: seen(`[${relayAddress('nb', 'nr')}]:1`, 1_000) })).toEqual([]);
  // A closed port is a fault, not to be gone round.
  const plan = planOf([peer('nb', false), peer('nr', false), peer('nt', true)]);
  expect(due({ b: seen(DIRECT), r: near, t: near }, { plan })).toEqual([]);
});

it('is looked for by one end first, then less and less often, among others each time', () => {
  const letters = [...'defghijklmnopqrstuvwxyzBCDEFGHIJKLMNOPQ'];
  const peers = [peer('nb', true), ...letters.map((letter) => peer(`n${letter}`, false))];
  const near = Object.fromEntries(letters.map((letter) => [letter, seen(DIRECT, 1_000)]));
  const moment = momentOf({ b: seen(DIRECT), ...near }, { plan: planOf(peers) });
  const needs = new RelayNeeds();
  const asked: (readonly string[])[] = [];
  const atMs: number[] = [];
  for (let monotonicMs = 0; monotonicMs < 400_000; monotonicMs += 10_000) {
    const [one] = needs.due({ ...moment, monotonicMs }, new Set());
    if (!one) continue;
    asked.push(one.candidates);
    atMs.push(monotonicMs);
  }
  expect(atMs).toEqual([0, 10_000, 30_000, 70_000, 150_000, 270_000, 390_000]);
  expect(asked.every((list) => list.length === RELAY_CANDIDATES_MAX)).toBe(true);
  expect(new Set(asked.slice(0, 3).flat()).size).toBe(letters.length);
  // The other end of the two.
  const other = new RelayNeeds();
  const from = { ...moment, state: { ...moment.state, publicKey: key('z') } };
  expect(other.due(from, new Set())).toEqual([]);
  expect(other.due({ ...from, monotonicMs: RELAY_OTHER_MS - 1 }, new Set())).toEqual([]);
  expect(other.due({ ...from, monotonicMs: RELAY_OTHER_MS }, new Set())).toHaveLength(1);
});

/** A device, and who answers; nobody does by the endpoint `closed`. */
function world(answering: Readonly<Record<string, number>>, closed = '') {
  const written: PeerChange[] = [];
  const hushed: string[] = [];
  const answers: Record<string, number> = { ...answering };
  let state = momentOf({}).state;
  const device = {
    read: async () => state,
    write: async ({ peers }: { readonly peers: readonly PeerChange[] }) => {
      written.push(...peers);
      for (const { publicKey, endpoint } of peers) {
        const known = state.peers.get(publicKey);
        if (known && endpoint) {
          state = {
            ...state,
            peers: new Map([...state.peers, [publicKey, { ...known, endpoint }]]),
          };
        }
      }
    },
  };
  const log = { error() {}, warn() {}, info() {}, debug() {}, child: () => log };
  const finder = new RelayFinder({
    probe: async (addresses) =>
      new Map(
        addresses
          .filter((address) => address in answers)
          .filter(() => closed === '' || state.peers.get(key('b'))?.endpoint !== closed)
          .map((address) => {
            const rttMs = answers[address] ?? 0;
            return [address, { address, sent: 3, received: 3, rttMs, full: false }];
          }),
      ),
    hush: async (address) => void hushed.push(address),
    unhush: async () => void hushed.push(''),
    log,
  });
  const look = async (moment: Moment): Promise<readonly string[]> => {
    state = moment.state;
    await finder.look(device, moment);
    return written.splice(0).flatMap(({ endpoint }) => (endpoint ? [endpoint] : []));
  };
  return { look, answers, hushed };
}

it('takes the nearest that answers, and nothing while nobody does', async () => {
  const peers = [...PEERS, peer('ns', false)];
  const near = seen(DIRECT, 1_000);
  const moment = momentOf({ b: seen(DIRECT), r: near, s: near }, { plan: planOf(peers) });
  const { look, answers } = world({});
  expect(await look(moment)).toEqual([]);
  answers[THROUGH] = 9;
  answers[relayAddress('ns', 'nb')] = 3;
  expect(await look({ ...moment, monotonicMs: 100_000 })).toEqual([
    `[${relayAddress('ns', 'nb')}]:51820`,
  ]);
});

it('goes back to the direct way when that is open, tried seldom while something is said', async () => {
  const inside = meshIdentity('nb').address;
  const relayed = (bytes: number, monotonicMs: number): Moment =>
    momentOf(
      { b: seen(`[${THROUGH}]:51820`, 1_000, bytes), r: seen(DIRECT, 1_000) },
      { monotonicMs },
    );
  const { look } = world({ [inside]: 5 });
  expect(await look(relayed(0, 0))).toEqual([]);
  expect(await look(relayed(100_000, RELAY_DIRECT_MS))).toEqual([]);
  expect(await look(relayed(100_100, RELAY_DIRECT_MS + 10_000))).toEqual([DIRECT]);
  // Nobody answers there: back at once.
  const back = world({ [inside]: 5 }, DIRECT);
  expect(await back.look(relayed(0, 0))).toEqual([]);
  expect(await back.look(relayed(0, RELAY_DIRECT_MS))).toEqual([DIRECT, `[${THROUGH}]:51820`]);
  expect(back.hushed).toEqual([THROUGH, '']);
  const busy = world({ [inside]: 5 });
  const times = [0, RELAY_DIRECT_MS, RELAY_DIRECT_BUSY_MS - 1, RELAY_DIRECT_BUSY_MS];
  const tried: (readonly string[])[] = [];
  for (const [index, at] of times.entries()) tried.push(await busy.look(relayed(index * 1e6, at)));
  expect(tried).toEqual([[], [], [], [DIRECT]]);
  // What comes late through the relay is not heard.
  expect(busy.hushed).toEqual([THROUGH]);
});

it('a relayed peer is called directly when nobody passes packets on any more', async () => {
  const { look } = world({});
  const at = (monotonicMs: number): Moment =>
    momentOf({ b: seen(`[${THROUGH}]:51820`, 1_000), r: seen(DIRECT) }, { monotonicMs });
  expect(await look(at(0))).toEqual([]);
  expect(await look(at(10_000))).toEqual([DIRECT]);
});

it('a relayed peer that does not answer twice is looked for anew', async () => {
  const { look, answers } = world({ [meshIdentity('nb').address]: 5, [THROUGH]: 1 });
  const at = (monotonicMs: number): Moment =>
    momentOf({ b: seen(`[${THROUGH}]:51820`, 1_000), r: seen(DIRECT, 1_000) }, { monotonicMs });
  expect(await look(at(0))).toEqual([]);
  delete answers[meshIdentity('nb').address];
  expect(await look(at(10_000))).toEqual([]);
  expect(await look(at(20_000))).toEqual([`[${THROUGH}]:51820`]);
});

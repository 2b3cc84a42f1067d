// `tswarm network check`, the part of one node: asks every peer through the tunnel (answers, loss, round trip, full packets), and compares what the kernel
// and the resolver have with what they should have (truth-check.ts). Changes nothing; what differs is repaired by kernel-check.ts anyway, so a difference that stays is a fault of its own.
import { meshIdentity, relayIn } from './addresses.ts';
import type { MeshPlan } from './plan.ts';
import { type Probe, probe } from './probe.ts';
import { relayName } from './relay.ts';
import { clearFaults, nameFaults, ruleFaults, type TruthDeps } from './truth-check.ts';
import type { DevicePeer } from './wireguard.ts';

export interface PeerReport {
  readonly nodeId: string;
  readonly hostname: string;
  /** `address:port`, or `through NODE`. */
  readonly endpoint: string;
  /** Seconds since the last handshake; -1 = none. */
  readonly handshakeSeconds: number;
  readonly sent: number;
  readonly received: number;
  /** Best of some; 0 = no answer. */
  readonly rttMs: number;
  readonly faults: readonly string[];
}

export interface NetworkReport {
  /** MTU of the tunnel in bytes. */
  readonly mtuBytes: number;
  readonly peers: readonly PeerReport[];
  /** Of this node itself. */
  readonly faults: readonly string[];
}

export interface NetworkCheckDeps extends TruthDeps {
  readonly nowMs: () => number;
}

export async function checkNetwork(deps: NetworkCheckDeps): Promise<NetworkReport> {
  const { mesh } = deps;
  const [peers, ...own] = await Promise.all([
    peerReports(deps),
    routingFaults(deps),
    ruleFaults(deps),
    clearFaults(deps),
    nameFaults(deps),
  ]);
  const noMesh = mesh.fault === '' ? [] : [`no mesh: ${mesh.fault}`];
  const unreachable = mesh.plan.faults;
  return { mtuBytes: mesh.mtuBytes, peers, faults: [...noMesh, ...unreachable, ...own.flat()] };
}

async function peerReports(deps: NetworkCheckDeps): Promise<readonly PeerReport[]> {
  const { mesh } = deps;
  const { peers } = mesh.plan;
  if (peers.size === 0) return [];
  const inside = [...peers.values()].map(({ nodeId }) => meshIdentity(nodeId).address);
  const probes = await probe(deps.program, mesh.mtuBytes, inside);
  const state = await (await mesh.device())?.read();
  return [...peers].map(([key, { nodeId, hostname, endpoint }]) => {
    const answered = probes.get(meshIdentity(nodeId).address);
    const known = state?.peers.get(key);
    const handshakeMs = known?.handshakeMs ?? 0;
    return {
      nodeId,
      hostname,
      endpoint: placeOf(mesh.plan, key, known?.endpoint || endpoint),
      handshakeSeconds:
        handshakeMs === 0 ? -1 : Math.max(0, Math.round((deps.nowMs() - handshakeMs) / 1000)),
      sent: answered?.sent ?? 0,
      received: answered?.received ?? 0,
      rttMs: answered?.rttMs ?? 0,
      faults: peerFaults(known, answered, endpoint),
    };
  });
}

/** Where it is reached, or through whom. */
function placeOf(plan: MeshPlan, publicKey: string, endpoint: string): string {
  const relay = relayIn(endpoint);
  return relay === undefined ? endpoint : `through ${relayName(plan, publicKey, relay)}`;
}

function peerFaults(
  known: DevicePeer | undefined,
  probe: Probe | undefined,
  endpoint: string,
): readonly string[] {
  if (!known) return ['WireGuard does not know this node'];
  if (!probe || probe.received === 0) {
    if (known.handshakeMs > 0) return ['shakes hands, but does not answer'];
    if (endpoint === '') return ['its address is not known'];
    return [`no answer to UDP at ${endpoint}: is the port open on both hosts?`];
  }
  const faults: string[] = [];
  if (!probe.full) faults.push('full packets are lost: the MTU on the way is too small');
  const small = probe.sent - 1;
  const lost = small - (probe.received - (probe.full ? 1 : 0));
  if (lost > 0) faults.push(`${lost} of ${small} packets lost`);
  return faults;
}

async function routingFaults({ mesh }: NetworkCheckDeps): Promise<readonly string[]> {
  const missing = await mesh.missing();
  return missing.length === 0 ? [] : [`not in the kernel: ${missing.slice(0, 5).join('; ')}`];
}

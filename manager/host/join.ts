// Becoming a manager: own key, certificate by way of the daemon (which has the worker's), a seat in
// the group from the leader, and only then manager.json; the log begins after that. Every step may
// be repeated after a kill: the key on disk is used again, and the leader knows the seat that it
// gave. A folder whose seat is given up is emptied first: its log must never vote again.
import { existsSync, rmSync } from 'node:fs';
import type { MemberAddress } from '#manager/control/managers';
import { certificateRequest, MANAGER_NAME } from '#protocol/certificates';
import { errorCodeFromText } from '#protocol/error-codes';
import { messageOf, TswarmError } from '#protocol/errors';
import {
  type JoinRequest,
  type JoinResponse,
  type MembershipMethods,
  MembershipService,
} from '#protocol/generated/membership';
import type { ManagerJoin, ManagerSigned } from '#protocol/manager-ipc';
import { type Client, clientOf, connectChannel, type TlsIdentity } from '#protocol/transport/grpc';
import { PROTOCOL_VERSION } from '#protocol/version';
import type { Log } from '#protocol/world';
import { LEADER_CALL_MS } from '../limits.ts';
import { type ManagerIdentity, readIdentity, removeIdentity, writeIdentity } from './identity.ts';
import { ManagerIdentityFiles } from './manager-identity.ts';
import { generateKey } from './node-crypto.ts';
import { holdPlace, type Places, withPort, withPortIfAny } from './places.ts';

export interface JoinDeps {
  readonly dataDir: string;
  readonly places: Places;
  readonly log: Log;
  /** Has the daemon get the request (PEM) signed. */
  sign(csr: string): Promise<ManagerSigned>;
}

export interface Joined {
  readonly identity: ManagerIdentity;
  /** With the ports that were free, where any would do. */
  readonly places: Places;
  /** While autolock is on. */
  readonly unlockKey: Uint8Array | null;
}

/** @throws TswarmError with what stands in the way; nothing is left that hinders another try. */
export async function joinAsManager(deps: JoinDeps, request: ManagerJoin): Promise<Joined> {
  const { dataDir, places } = deps;
  const known = knownSeat(dataDir);
  refuseOther(known, request);
  const files = new ManagerIdentityFiles(dataDir, null);
  const identity = files.load() ?? (await certificateFor(deps, request));
  const control = await holdPlace(places.listenAddress);
  const raft = await holdPlace(places.raftListenAddress).catch(async (error: unknown) => {
    await control.close();
    throw error;
  });
  const fixed: Places = {
    listenAddress: withPort(places.listenAddress, control.port),
    advertiseAddress: withPortIfAny(places.advertiseAddress, control.port),
    raftListenAddress: withPort(places.raftListenAddress, raft.port),
    raftAdvertiseAddress: withPortIfAny(places.raftAdvertiseAddress, raft.port),
  };
  let seat: JoinResponse;
  try {
    const asked: JoinRequest = {
      nodeId: request.nodeId,
      controlAddr: fixed.advertiseAddress,
      raftAddr: fixed.raftAdvertiseAddress,
      raftId: known?.raftId ?? 0,
      protocol: PROTOCOL_VERSION,
    };
    seat = await askAny(deps.log, request.managers, identity, (client) =>
      client.join(asked, { timeoutMs: LEADER_CALL_MS }),
    );
  } finally {
    await Promise.all([control.close(), raft.close()]);
  }
  const unlockKey = seat.unlockKey.length > 0 ? seat.unlockKey : null;
  new ManagerIdentityFiles(dataDir, unlockKey).save(identity);
  const joined = takeSeat(deps, request, known, seat);
  const told: Places = {
    ...fixed,
    advertiseAddress: seat.controlAddr,
    raftAdvertiseAddress: seat.raftAddr,
  };
  return { identity: joined, places: told, unlockKey };
}

/**
 * The seat that an earlier try has taken, log and all; undefined when there is none. It is gone on
 * with, without asking anybody: this member may be the one whose vote a leader waits for.
 */
export function takenSeat(dataDir: string, request: ManagerJoin): ManagerIdentity | undefined {
  const known = knownSeat(dataDir);
  refuseOther(known, request);
  return known?.hasLog === true ? known : undefined;
}

/** The seat of an earlier try; none when its log is gone, because an empty one must not vote for it. */
function knownSeat(dataDir: string): ManagerIdentity | undefined {
  const identity = readIdentity(dataDir);
  const isLost = identity?.hasLog === true && !existsSync(`${dataDir}/raft/wal`);
  return isLost ? undefined : identity;
}

function refuseOther(known: ManagerIdentity | undefined, request: ManagerJoin): void {
  if (!known) return;
  if (known.nodeId === request.nodeId && known.clusterId === request.clusterId) return;
  throw new TswarmError(
    'failed_precondition',
    `the manager's folder is of node ${known.nodeId} in cluster ${known.clusterId}`,
    { hint: 'Leave that cluster with `tswarm leave --force` first.' },
  );
}

async function certificateFor(deps: JoinDeps, request: ManagerJoin): Promise<TlsIdentity> {
  const { pem, signer } = generateKey();
  const signed = await deps.sign(certificateRequest(signer));
  if (signed.error) {
    const { code, message, hint } = signed.error;
    throw new TswarmError(errorCodeFromText(code), message, hint === '' ? {} : { hint });
  }
  const caCert = signed.caCert === '' ? request.caCert : signed.caCert;
  const identity: TlsIdentity = { caCert, certificate: signed.certificate, key: pem };
  return identity;
}

/** The first manager that answers; any of them can, or passes it on to the leader. */
export async function askAny<T>(
  log: Log,
  managers: readonly string[],
  identity: TlsIdentity,
  ask: (client: Client<MembershipMethods>) => Promise<T>,
): Promise<T> {
  let failure: unknown = new TswarmError('unavailable', 'no manager is known');
  for (const address of managers) {
    const channel = connectChannel(address, identity, MANAGER_NAME);
    try {
      return await ask(clientOf(MembershipService, channel));
    } catch (error) {
      failure = error;
      log.warn('manager refused', { address, error: messageOf(error) });
      const isElsewhere = error instanceof TswarmError && error.retryable;
      if (!isElsewhere) throw error;
    } finally {
      channel.close();
    }
  }
  throw failure;
}

function takeSeat(
  { dataDir, log }: JoinDeps,
  request: ManagerJoin,
  known: ManagerIdentity | undefined,
  seat: JoinResponse,
): ManagerIdentity {
  if (known?.raftId === seat.raftId) return known;
  if (known) log.warn('this disk has lost its seat; it begins anew', { raftId: seat.raftId });
  // In this order: a log without manager.json is emptied by the next try, a wrong pair would stay.
  removeIdentity(dataDir);
  rmSync(`${dataDir}/raft`, { recursive: true, force: true });
  const peers: MemberAddress[] = seat.peers
    .filter(({ raftId }) => raftId !== seat.raftId)
    .map(({ raftId, nodeId, addr }) => ({ raftId, nodeId, addr }));
  const identity: ManagerIdentity = {
    clusterId: request.clusterId,
    nodeId: request.nodeId,
    raftId: seat.raftId,
    origin: 'join',
    hasLog: false,
    peers,
    hostname: '',
    addressPools: [],
    subnetSize: 0,
    dataPathPort: 0,
  };
  writeIdentity(dataDir, identity);
  return identity;
}

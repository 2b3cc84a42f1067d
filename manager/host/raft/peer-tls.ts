// Who may be at the other end of a connection between managers. Both ends check the other's
// certificate: signed by a root of this cluster, valid now, OU swarm-manager, O this cluster, CN the
// node that the Raft id belongs to. A worker's certificate of the same node is not enough, although
// it carries the node's name as well.
import { Buffer } from 'node:buffer';
import { X509Certificate } from 'node:crypto';
import type { PeerCertificate } from 'node:tls';
import * as grpc from '@grpc/grpc-js';
import { CERTIFICATE_ROLE, pemBlocks } from '#protocol/certificates';
import { TswarmError } from '#protocol/errors';
import { MESSAGE_BYTES_MAX, type TlsIdentity } from '#protocol/transport/grpc';
import { type Peer, peerOf } from '#protocol/transport/peer';
import {
  CONNECT_TIMEOUT_MS,
  KEEPALIVE_MS,
  KEEPALIVE_TIMEOUT_MS,
  PEER_WINDOW_BYTES,
} from './limits.ts';
import type { RaftIdentity, RaftPeer } from './raft-node.ts';

/** The form that gRPC credentials are made of. */
export function tlsIdentityOf({ certificate, key, roots }: RaftIdentity): TlsIdentity {
  return { certificate, key, caCert: roots.join('\n') };
}

/** @throws TswarmError invalid_argument when the identity is not one of a manager of the cluster */
export function checkIdentity(identity: RaftIdentity, clusterId: string): void {
  let subject: string;
  try {
    subject = new X509Certificate(identity.certificate).subject;
  } catch (cause) {
    throw new TswarmError('invalid_argument', 'the manager certificate cannot be read', { cause });
  }
  const isOurs =
    subject.includes(`OU=${CERTIFICATE_ROLE.manager}`) && subject.includes(`O=${clusterId}`);
  if (!isOurs) {
    const message = `the certificate is not one of a manager of cluster ${clusterId}`;
    throw new TswarmError('invalid_argument', message);
  }
  if (identity.roots.flatMap(pemBlocks).length === 0) {
    throw new TswarmError('invalid_argument', 'no root certificate is given');
  }
}

/** A channel of its own to `peer`; nothing else shares the connection. */
export function connectPeer(
  peer: RaftPeer,
  identity: RaftIdentity,
  clusterId: string,
): grpc.Client {
  const tls = tlsIdentityOf(identity);
  const credentials = grpc.credentials.createSsl(
    Buffer.from(tls.caCert),
    Buffer.from(tls.key),
    Buffer.from(tls.certificate),
    { checkServerIdentity: (_host, certificate) => wrongServer(certificate, peer, clusterId) },
  );
  return new grpc.Client(peer.addr, credentials, {
    'grpc.ssl_target_name_override': peer.nodeId,
    'grpc.default_authority': peer.nodeId,
    'grpc.use_local_subchannel_pool': 1,
    'grpc.max_receive_message_length': MESSAGE_BYTES_MAX,
    'grpc.max_send_message_length': MESSAGE_BYTES_MAX,
    'grpc.keepalive_time_ms': KEEPALIVE_MS,
    'grpc.keepalive_timeout_ms': KEEPALIVE_TIMEOUT_MS,
    'grpc.keepalive_permit_without_calls': 1,
    'grpc.initial_reconnect_backoff_ms': CONNECT_TIMEOUT_MS,
    'grpc.max_reconnect_backoff_ms': CONNECT_TIMEOUT_MS,
    'grpc-node.flow_control_window': PEER_WINDOW_BYTES,
    'grpc.enable_retries': 0,
    'grpc.enable_channelz': 0,
  });
}

function wrongServer(
  { subject }: PeerCertificate,
  { nodeId, addr }: RaftPeer,
  clusterId: string,
): Error | undefined {
  const isRight =
    subject.CN === nodeId && subject.OU === CERTIFICATE_ROLE.manager && subject.O === clusterId;
  if (isRight) return undefined;
  return new Error(
    `at ${addr} is ${subject.OU} ${subject.CN}, not manager ${nodeId} of this cluster`,
  );
}

/** Who calls. @throws TswarmError unauthenticated, permission_denied */
export function callingManager(call: object, roots: readonly string[], clusterId: string): Peer {
  const peer = peerOf(call, () => roots);
  if (peer.role !== CERTIFICATE_ROLE.manager || peer.clusterId !== clusterId) {
    const message = 'only managers of this cluster may speak here';
    throw new TswarmError('permission_denied', message);
  }
  return peer;
}

// How a node gets its first certificate: fetch the cluster's root certificate from a manager that is not trusted yet, check it against the digest in the
// join token, and only then send the token's secret, over a connection that this root has verified. swarmkit ca/certificates.go.
import { createHash } from 'node:crypto';
import type { Client as Channel } from '@grpc/grpc-js';
import { Client, credentials } from '@grpc/grpc-js';
import { CA_NAME } from '#protocol/certificates';
import { TswarmError } from '#protocol/errors';
import {
  GetRootCertificateRequest,
  IssueNodeCertificateRequest,
  NodeCaService,
} from '#protocol/generated/ca';
import type { NodeAvailability } from '#protocol/generated/specs';
import { NodeRole } from '#protocol/generated/specs';
import { caDigestText, parseJoinToken } from '#protocol/join-token';
import { certificateRequestFor, newNodeKey } from '#protocol/transport/csr';
import { clientOf, connectChannel, type TlsIdentity } from '#protocol/transport/grpc';
import type { NodeIdentity } from './node-identity.ts';

const CALL_TIMEOUT_MS = 10_000;

export interface JoinRequest {
  /** `host:port` of a manager. */
  readonly address: string;
  readonly token: string;
  readonly hostname: string;
  readonly availability: NodeAvailability;
}

export interface Joined {
  readonly identity: NodeIdentity;
  readonly role: NodeRole;
}

/** @throws invalid_argument for a bad token, unauthenticated when root or token do not fit, unavailable */
export async function joinCluster(request: JoinRequest): Promise<Joined> {
  const { caDigest } = parseJoinToken(request.token);
  const caCert = await fetchRoot(request.address);
  checkRoot(caCert, caDigest, request.address);
  const key = newNodeKey();
  const channel = connectChannel(request.address, { caCert }, CA_NAME);
  try {
    const answer = await clientOf(NodeCaService, channel).issueNodeCertificate(
      IssueNodeCertificateRequest.create({
        csr: certificateRequestFor(key),
        token: request.token,
        availability: request.availability,
        hostname: request.hostname,
        nowMicros: nowMicros(),
      }),
      { timeoutMs: CALL_TIMEOUT_MS },
    );
    return {
      role: answer.role,
      identity: {
        key,
        certificate: answer.certificate,
        caCert: answer.caCert,
        nodeId: answer.nodeId,
        clusterId: answer.clusterId,
      },
    };
  } finally {
    channel.close();
  }
}

/**
 * A certificate for the key of `csr`, by the certificate that the caller has: of the same kind, or with `role` a manager's one. The managers are asked
 * one after the other until one answers. @throws the first refusal, or why the last one could not be reached.
 */
export async function requestCertificate(
  managers: readonly string[],
  identity: TlsIdentity,
  csr: string,
  role: NodeRole = NodeRole.WORKER,
): Promise<{ readonly certificate: string; readonly caCert: string }> {
  let failure: unknown = new TswarmError('no_cluster', 'no manager is known');
  for (const address of managers) {
    const channel = connectChannel(address, identity, CA_NAME);
    try {
      const { certificate, caCert } = await clientOf(NodeCaService, channel).issueNodeCertificate(
        IssueNodeCertificateRequest.create({ csr, role, nowMicros: nowMicros() }),
        { timeoutMs: CALL_TIMEOUT_MS },
      );
      return { certificate, caCert };
    } catch (error) {
      failure = error;
      if (!(error instanceof TswarmError && error.retryable)) throw error;
    } finally {
      channel.close();
    }
  }
  throw failure;
}

/** So that a clock that is far from the leader's is refused while nothing depends on it. */
function nowMicros(): number {
  return Date.now() * 1000;
}

/** Over a connection that proves nothing: what comes back is checked against the token. */
async function fetchRoot(address: string): Promise<string> {
  const channel: Channel = new Client(
    address,
    credentials.createSsl(null, null, null, {
      rejectUnauthorized: false,
      checkServerIdentity: () => undefined,
    }),
    { 'grpc.ssl_target_name_override': CA_NAME, 'grpc.default_authority': CA_NAME },
  );
  try {
    const answer = await clientOf(NodeCaService, channel).getRootCertificate(
      GetRootCertificateRequest.create(),
      { timeoutMs: CALL_TIMEOUT_MS },
    );
    return answer.caCert;
  } finally {
    channel.close();
  }
}

/** @throws unauthenticated when the certificate is not the one that the token pins */
export function checkRoot(caCert: string, digest: string, address: string): void {
  const found = caDigestText(new Uint8Array(createHash('sha256').update(caCert, 'utf8').digest()));
  if (found === digest) return;
  throw new TswarmError(
    'unauthenticated',
    `remote CA does not match fingerprint. Expected: ${digest}, got: ${found} from ${address}`,
    { hint: 'Check the address, and get the token anew on a manager (tswarm join-token).' },
  );
}

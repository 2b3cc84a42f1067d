// The NodeCa service: hands out the root certificate to anyone and node certificates to who may
// have one (manager/ca decides). Any manager answers; certificates for others are made at the
// leader, because they are recorded. Certificates are built from the cluster's root key, which is
// in the store; its parsed form is kept as long as it does not change. Callers without a
// certificate are limited per address, wrong tokens more so.

import {
  type Issuer,
  issueLeaf,
  type LeafRequest,
  publicKeyOfRequest,
} from '#manager/ca/certificates';
import {
  admitNode,
  checkClock,
  decideRenewal,
  type Grant,
  leafValidityMicros,
  nodeIdOf,
  recordAdministrator,
  recordCertificate,
} from '#manager/ca/issue';
import {
  CSR_CHARS_MAX,
  RATE_ADDRESSES_MAX,
  STRANGER_CALLS_BURST,
  STRANGER_CALLS_PER_SECOND,
  WRONG_TOKENS_BURST,
  WRONG_TOKENS_PER_SECOND,
} from '#manager/ca/limits';
import { issuingRoot, trustBundle } from '#manager/ca/rotation';
import { CERTIFICATE_ROLE } from '#protocol/certificates';
import { hasCode, TswarmError } from '#protocol/errors';
import {
  type IssueNodeCertificateRequest,
  type IssueNodeCertificateResponse,
  type NodeCaMethods,
  NodeCaService,
} from '#protocol/generated/ca';
import type { Cluster } from '#protocol/generated/objects';
import { RateLimit } from '#protocol/rate-limit';
import type { CallContext, Handlers, Peer } from '#protocol/transport/grpc';
import type { Clock, Random } from '#protocol/world';
import { isPassedOn } from './caller.ts';
import type { LeaderAccess } from './leader-access.ts';
import { nodeCaCrypto, signerFromPem } from './node-crypto.ts';
import type { ReplicatedStore } from './replicated-store.ts';

export interface CertificateAuthorityDeps {
  readonly replicated: ReplicatedStore;
  readonly leader: LeaderAccess;
  readonly random: Random;
  readonly clock: Clock;
  nowMicros(): number;
}

/** Builds certificates of this cluster. */
export class CertificateAuthority {
  readonly #deps: CertificateAuthorityDeps;
  readonly #strangers: RateLimit = new RateLimit({
    perSecond: STRANGER_CALLS_PER_SECOND,
    burst: STRANGER_CALLS_BURST,
    keysMax: RATE_ADDRESSES_MAX,
  });
  readonly #wrongTokens: RateLimit = new RateLimit({
    perSecond: WRONG_TOKENS_PER_SECOND,
    burst: WRONG_TOKENS_BURST,
    keysMax: RATE_ADDRESSES_MAX,
  });
  #issuer: { readonly key: string; readonly issuer: Issuer } | undefined;

  constructor(deps: CertificateAuthorityDeps) {
    this.#deps = deps;
  }

  /**
   * The certificate (PEM) for a public key (SubjectPublicKeyInfo, DER); while the root is rotated
   * followed by the new root as the old one certifies it.
   */
  issue(cluster: Cluster, grant: Grant, publicKey: Uint8Array): string {
    return this.issueOutside(cluster, {
      publicKey,
      commonName: grant.nodeId,
      role: grant.certificateRole,
      validityMicros: leafValidityMicros(cluster),
    });
  }

  /** The same for whoever is no node. */
  issueOutside(
    cluster: Cluster,
    leaf: Omit<LeafRequest, 'clusterId' | 'nowMicros' | 'serial'>,
  ): string {
    const certificate = issueLeaf(nodeCaCrypto, this.#issuerOf(cluster), {
      ...leaf,
      clusterId: cluster.id,
      nowMicros: this.#deps.nowMicros(),
      serial: this.#deps.random.bytes(16),
    });
    return certificate + issuingRoot(cluster).chain;
  }

  /** Handlers of the NodeCa service. */
  handlers(): Handlers<NodeCaMethods> {
    return {
      getRootCertificate: async (_, context) => {
        this.#limitStrangers(context);
        return { caCert: this.#cluster().rootCa?.caCert ?? '' };
      },
      issueNodeCertificate: (request, context) => {
        this.#limitStrangers(context);
        return this.#deps.leader.run(
          context,
          NodeCaService,
          () => this.#answer(request, context.peer),
          (client, options) => client.issueNodeCertificate(request, options),
        );
      },
    };
  }

  async #answer(
    request: IssueNodeCertificateRequest,
    peer: Peer,
  ): Promise<IssueNodeCertificateResponse> {
    const publicKey = publicKeyOfCsr(request.csr);
    checkClock(request, peer, this.#deps.nowMicros());
    const grant =
      request.token === ''
        ? decideRenewal(this.#deps.replicated.view, request, peer)
        : await this.#admit(request, nodeIdOf(nodeCaCrypto, publicKey), peer);
    const cluster = this.#cluster();
    const certificate = this.issue(cluster, grant, publicKey);
    await this.#record(grant, certificate, issuingRoot(cluster).digest);
    return {
      nodeId: grant.nodeId,
      certificate,
      caCert: trustBundle(cluster),
      clusterId: cluster.id,
      role: grant.nodeRole,
    };
  }

  async #admit(request: IssueNodeCertificateRequest, nodeId: string, peer: Peer): Promise<Grant> {
    const key = hostOf(peer.address);
    if (!this.#wrongTokens.has(key, this.#deps.clock.monotonicMs())) throw tooMany();
    try {
      const { value } = await this.#deps.replicated.update(
        { author: 'ca', summary: `node ${request.hostname}: join` },
        (tx) => admitNode(tx, nodeCaCrypto, request, nodeId),
      );
      return value;
    } catch (error) {
      if (hasCode(error, 'unauthenticated')) {
        this.#wrongTokens.take(key, this.#deps.clock.monotonicMs());
      }
      throw error;
    }
  }

  /** A manager tells of its own certificate itself, once it uses it. */
  async #record(grant: Grant, certificate: string, rootDigest: string): Promise<void> {
    const { nodeId, certificateRole } = grant;
    if (certificateRole === CERTIFICATE_ROLE.manager) return;
    await this.#deps.replicated.update({ author: 'ca', summary: '' }, (tx) => {
      if (certificateRole === CERTIFICATE_ROLE.admin) recordAdministrator(tx, nodeId, rootDigest);
      else recordCertificate(tx, nodeId, certificate, rootDigest);
    });
  }

  /** A call that was passed on was counted by the manager that it came to. */
  #limitStrangers(context: CallContext): void {
    if (context.peer.nodeId !== '' || isPassedOn(context)) return;
    const key = hostOf(context.peer.address);
    if (!this.#strangers.take(key, this.#deps.clock.monotonicMs())) throw tooMany();
  }

  #cluster(): Cluster {
    for (const cluster of this.#deps.replicated.view.list('cluster')) return cluster;
    throw new TswarmError('unavailable', 'the cluster is not ready yet', { retryable: true });
  }

  #issuerOf(cluster: Cluster): Issuer {
    const { certificate, key } = issuingRoot(cluster);
    if (this.#issuer?.key !== key || this.#issuer.issuer.certificate !== certificate) {
      this.#issuer = { key, issuer: { certificate, signer: signerFromPem(key) } };
    }
    return this.#issuer.issuer;
  }
}

/** The checked public key of a request. @throws TswarmError invalid_argument. */
export function publicKeyOfCsr(csr: string): Uint8Array {
  if (csr.length > CSR_CHARS_MAX) {
    throw new TswarmError('invalid_argument', `certificate request: ${csr.length} characters`, {
      field: 'CSR',
    });
  }
  return publicKeyOfRequest(nodeCaCrypto, csr);
}

function hostOf(address: string): string {
  return address.replace(/:\d+$/, '');
}

function tooMany(): TswarmError {
  return new TswarmError('resource_exhausted', 'too many attempts from this address', {
    retryable: true,
    hint: 'Wait a minute and try again.',
  });
}

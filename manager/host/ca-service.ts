// The NodeCa service: hands out the root certificate to anyone and node certificates to who may
// have one (manager/ca decides). Certificates are built from the cluster's root key, which is in
// the store; its parsed form is kept as long as it does not change.
import { type Issuer, issueLeaf, publicKeyOfRequest } from '#manager/ca/certificates';
import {
  admitNode,
  decideRenewal,
  type Grant,
  leafValidityMicros,
  recordCertificate,
} from '#manager/ca/issue';
import { CSR_CHARS_MAX } from '#manager/ca/limits';
import { TswarmError } from '#protocol/errors';
import type {
  IssueNodeCertificateRequest,
  IssueNodeCertificateResponse,
  NodeCaMethods,
} from '#protocol/generated/ca';
import type { Cluster } from '#protocol/generated/objects';
import type { CallContext, Handlers } from '#protocol/transport/grpc';
import type { Random } from '#protocol/world';
import { nodeCaCrypto, signerFromPem } from './node-crypto.ts';
import type { ReplicatedStore } from './replicated-store.ts';

export interface CertificateAuthorityDeps {
  readonly replicated: ReplicatedStore;
  readonly random: Random;
  nowMicros(): number;
}

/** Builds certificates of this cluster. */
export class CertificateAuthority {
  readonly #deps: CertificateAuthorityDeps;
  #issuer: { readonly key: string; readonly issuer: Issuer } | undefined;

  constructor(deps: CertificateAuthorityDeps) {
    this.#deps = deps;
  }

  /** The certificate (PEM) for a public key (SubjectPublicKeyInfo, DER). */
  issue(cluster: Cluster, grant: Grant, publicKey: Uint8Array): string {
    return issueLeaf(nodeCaCrypto, this.#issuerOf(cluster), {
      publicKey,
      commonName: grant.nodeId,
      role: grant.certificateRole,
      clusterId: cluster.id,
      nowMicros: this.#deps.nowMicros(),
      validityMicros: leafValidityMicros(cluster),
      serial: this.#deps.random.bytes(16),
    });
  }

  /** Handlers of the NodeCa service. */
  handlers(): Handlers<NodeCaMethods> {
    return {
      getRootCertificate: async () => ({ caCert: this.#cluster().rootCa?.caCert ?? '' }),
      issueNodeCertificate: (request, context) => this.#answer(request, context),
    };
  }

  async #answer(
    request: IssueNodeCertificateRequest,
    context: CallContext,
  ): Promise<IssueNodeCertificateResponse> {
    const publicKey = publicKeyOfCsr(request.csr);
    const cluster = this.#cluster();
    const grant =
      request.token === ''
        ? decideRenewal(this.#deps.replicated.view, request, context.peer)
        : await this.#admit(request);
    const certificate = this.issue(cluster, grant, publicKey);
    if (grant.certificateRole === 'swarm-worker') await this.#record(grant.nodeId, certificate);
    return {
      nodeId: grant.nodeId,
      certificate,
      caCert: cluster.rootCa?.caCert ?? '',
      clusterId: cluster.id,
      role: grant.nodeRole,
    };
  }

  async #admit(request: IssueNodeCertificateRequest): Promise<Grant> {
    const { value } = await this.#deps.replicated.update(
      { author: 'ca', summary: `node ${request.hostname}: join` },
      (tx, context) => admitNode(tx, request, () => context.newId()),
    );
    return value;
  }

  async #record(nodeId: string, certificate: string): Promise<void> {
    await this.#deps.replicated.update({ author: 'ca', summary: '' }, (tx) =>
      recordCertificate(tx, nodeId, certificate),
    );
  }

  #cluster(): Cluster {
    for (const cluster of this.#deps.replicated.view.list('cluster')) return cluster;
    throw new TswarmError('unavailable', 'the cluster is not ready yet', { retryable: true });
  }

  #issuerOf(cluster: Cluster): Issuer {
    const { caCert: certificate = '', caKey: key = '' } = cluster.rootCa ?? {};
    if (this.#issuer?.key !== key) {
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

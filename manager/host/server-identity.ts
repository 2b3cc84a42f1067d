// The manager's own key and certificate (OU swarm-manager), in DIR/certificates. A manager that
// holds the root key issues its own, at first start, when half of the life of the old one is over,
// and when it is not of the cluster's root any more.
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { CERTIFICATE_ROLE } from '#manager/ca/certificates';
import type { Cluster } from '#protocol/generated/objects';
import { NodeRole } from '#protocol/generated/specs';
import type { TlsIdentity } from '#protocol/transport/grpc';
import type { CertificateAuthority } from './ca-service.ts';
import { makePrivateFolder, readIfThere, writeFileAtomic } from './files.ts';
import { generateKey } from './node-crypto.ts';

/**
 * The identity to serve with; a new one when the one on disk is missing, foreign or past half of
 * its life.
 */
export function serverIdentity(
  dataDir: string,
  nodeId: string,
  cluster: Cluster,
  authority: CertificateAuthority,
  nowMs: number,
): TlsIdentity {
  const folder = `${dataDir}/certificates`;
  const caCert = cluster.rootCa?.caCert ?? '';
  const certificate = readIfThere(`${folder}/manager.crt`);
  const key = readIfThere(`${folder}/manager.key`);
  if (certificate !== undefined && key !== undefined) {
    if (isGood(certificate, key, caCert, nowMs)) return { caCert, certificate, key };
  }
  return issueIdentity(folder, nodeId, cluster, authority);
}

function issueIdentity(
  folder: string,
  nodeId: string,
  cluster: Cluster,
  authority: CertificateAuthority,
): TlsIdentity {
  const { pem, signer } = generateKey();
  const grant = {
    nodeId,
    certificateRole: CERTIFICATE_ROLE.manager,
    nodeRole: NodeRole.MANAGER,
  };
  const certificate = authority.issue(cluster, grant, signer.publicKey);
  makePrivateFolder(folder);
  // The key first: a crash in between leaves a pair that does not match, which the next start
  // replaces.
  writeFileAtomic(`${folder}/manager.key`, pem, 0o600);
  writeFileAtomic(`${folder}/manager.crt`, certificate, 0o600);
  return { caCert: cluster.rootCa?.caCert ?? '', certificate, key: pem };
}

function isGood(certificate: string, key: string, caCert: string, nowMs: number): boolean {
  try {
    const parsed = new X509Certificate(certificate);
    const [fromMs, toMs] = [parsed.validFromDate.getTime(), parsed.validToDate.getTime()];
    return (
      parsed.verify(new X509Certificate(caCert).publicKey) &&
      parsed.checkPrivateKey(createPrivateKey(key)) &&
      nowMs >= fromMs &&
      nowMs < fromMs + (toMs - fromMs) / 2
    );
  } catch {
    return false;
  }
}

// A throw-away CA with real keys for tests that speak TLS.

import { issueLeaf, makeRootCertificate } from '#manager/ca/certificates';
import { generateKey, nodeCaCrypto } from '#manager/host/node-crypto';
import type { CertificateRole } from '#protocol/certificates';
import type { TlsIdentity } from '#protocol/transport/grpc';
import { nodeRandom, nowMicros } from '#protocol/transport/node-world';

export interface TestCa {
  readonly caCert: string;
  identity(
    nodeId: string,
    role: CertificateRole,
    options?: { fromNowMicros?: number; validityMicros?: number },
  ): TlsIdentity;
}

export function testCa(): TestCa {
  const key = generateKey();
  const certificate = makeRootCertificate(nodeCaCrypto, key.signer, {
    nowMicros: nowMicros(),
    serial: nodeRandom.bytes(16),
  });
  return {
    caCert: certificate,
    identity(nodeId, role, options = {}) {
      const leafKey = generateKey();
      const leaf = issueLeaf(
        nodeCaCrypto,
        { certificate, signer: key.signer },
        {
          publicKey: leafKey.signer.publicKey,
          commonName: nodeId,
          role,
          clusterId: 'cluster1',
          nowMicros: nowMicros() + (options.fromNowMicros ?? 0),
          validityMicros: options.validityMicros ?? 3600e6,
          serial: nodeRandom.bytes(16),
        },
      );
      return { caCert: certificate, certificate: leaf, key: leafKey.pem };
    },
  };
}

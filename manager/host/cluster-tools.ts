// The cryptography behind changes of the cluster object: unlock keys, roots to rotate to. Checks a
// root that an administrator gives, because certificates that nobody accepts would end the cluster.
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { crossSignRoot, type Issuer, makeRootCertificate } from '#manager/ca/certificates';
import { rootDigest } from '#manager/ca/cluster';
import { tokenDigest } from '#manager/ca/issue';
import { GIVEN_ROOT_VALIDITY_MICROS_MIN } from '#manager/ca/limits';
import type { NewRoot } from '#manager/ca/rotation';
import type { ClusterTools, GivenRoot } from '#manager/control/cluster';
import { TswarmError } from '#protocol/errors';
import type { Cluster } from '#protocol/generated/objects';
import type { Random } from '#protocol/world';
import { generateKey, nodeCaCrypto, signerFromPem } from './node-crypto.ts';

const UNLOCK_KEY_BYTES = 32;
const SERIAL_BYTES = 16;
const MICROS_PER_MS = 1000;

export interface ClusterToolsDeps {
  readonly random: Random;
  nowMicros(): number;
}

export function clusterTools(deps: ClusterToolsDeps): ClusterTools {
  return {
    newUnlockKey: () => deps.random.bytes(UNLOCK_KEY_BYTES),
    tokenDigest: (token) => tokenDigest(nodeCaCrypto, token),
    newRoot: (cluster, given) => newRoot(deps, cluster, given),
  };
}

function newRoot(deps: ClusterToolsDeps, cluster: Cluster, given: GivenRoot): NewRoot {
  const root = given.certificate === '' ? madeRoot(deps) : checkedRoot(deps, cluster, given);
  const { caCert = '', caKey = '' } = cluster.rootCa ?? {};
  const present: Issuer = { certificate: caCert, signer: signerFromPem(caKey) };
  return {
    caCert: root.certificate,
    caKey: root.key,
    crossSignedCaCert: crossSignRoot(nodeCaCrypto, present, root.certificate, {
      nowMicros: deps.nowMicros(),
      serial: deps.random.bytes(SERIAL_BYTES),
    }),
    caCertDigest: rootDigest(nodeCaCrypto, root.certificate),
  };
}

function madeRoot(deps: ClusterToolsDeps): GivenRoot {
  const { pem, signer } = generateKey();
  const certificate = makeRootCertificate(nodeCaCrypto, signer, {
    nowMicros: deps.nowMicros(),
    serial: deps.random.bytes(SERIAL_BYTES),
  });
  return { certificate, key: pem };
}

function checkedRoot(deps: ClusterToolsDeps, cluster: Cluster, given: GivenRoot): GivenRoot {
  if (given.key === '') {
    throw refused('SigningCAKey', 'the key of the certificate is missing', 'Give both.');
  }
  const { certificate, key } = parseRoot(given);
  const leftMicros = certificate.validToDate.getTime() * MICROS_PER_MS - deps.nowMicros();
  if (leftMicros < GIVEN_ROOT_VALIDITY_MICROS_MIN) {
    throw refused('SigningCACert', 'the certificate must be valid for at least one more year');
  }
  if (certificate.validFromDate.getTime() * MICROS_PER_MS > deps.nowMicros()) {
    throw refused('SigningCACert', 'the certificate is not valid yet');
  }
  if (!certificate.ca || !certificate.verify(certificate.publicKey)) {
    throw refused('SigningCACert', 'it is not the certificate of a root (self-signed, CA: true)');
  }
  if (!certificate.checkPrivateKey(key)) {
    throw refused('SigningCAKey', 'it is not the key of the certificate');
  }
  const details = key.asymmetricKeyDetails;
  if (key.asymmetricKeyType !== 'ec' || details?.namedCurve !== 'prime256v1') {
    throw refused('SigningCAKey', 'only ECDSA P-256 keys are supported');
  }
  const present = new X509Certificate(cluster.rootCa?.caCert ?? '');
  if (present.checkPrivateKey(key)) {
    throw refused('SigningCAKey', 'the new root must have a new key');
  }
  // One certificate, as we write them, so that its digest is what tokens carry.
  const pem = certificate.toString();
  return { certificate: pem, key: key.export({ format: 'pem', type: 'pkcs8' }).toString() };
}

function parseRoot(given: GivenRoot): {
  readonly certificate: X509Certificate;
  readonly key: ReturnType<typeof createPrivateKey>;
} {
  const count = given.certificate.split('-----BEGIN CERTIFICATE-----').length - 1;
  if (count !== 1) {
    throw refused('SigningCACert', `expected one certificate in PEM, found ${count}`);
  }
  try {
    return {
      certificate: new X509Certificate(given.certificate),
      key: createPrivateKey(given.key),
    };
  } catch (cause) {
    throw refused(
      'SigningCACert',
      'certificate and key must be PEM, the key without a password',
      '',
      cause,
    );
  }
}

function refused(field: string, why: string, hint = '', cause?: unknown): TswarmError {
  return new TswarmError('invalid_argument', `CAConfig.${field}: ${why}`, {
    field: `CAConfig.${field}`,
    ...(hint === '' ? {} : { hint }),
    ...(cause === undefined ? {} : { cause }),
  });
}

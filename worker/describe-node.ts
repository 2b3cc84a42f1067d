// What this node tells the managers about itself: host, platform, resources, plug-ins, addresses, its mesh key.
import { X509Certificate } from 'node:crypto';
import {
  EngineDescription,
  NodeDescription,
  NodeTlsInfo,
  PluginDescription,
} from '#protocol/generated/objects';
import { GenericResource, Platform, Resources } from '#protocol/generated/specs';
import type { TlsIdentity } from '#protocol/transport/grpc';
import type { MeshDescription } from './network/types.ts';
import type { HostFacts } from './runtime/host-facts.ts';

const PLUGINS: readonly (readonly [string, string])[] = [
  ['Log', 'json-file'],
  ['Log', 'local'],
  ['Log', 'none'],
  ['Network', 'bridge'],
  ['Network', 'host'],
  ['Network', 'null'],
  ['Network', 'overlay'],
  ['Volume', 'local'],
];

export function describeNode(input: {
  readonly host: HostFacts;
  readonly engineVersion: string;
  readonly labels: Readonly<Record<string, string>>;
  /** `KIND=name` or `KIND=number`. */
  readonly genericResources: readonly string[];
  readonly mesh: MeshDescription;
  readonly identity: TlsIdentity;
}): NodeDescription {
  const { host } = input;
  return NodeDescription.create({
    hostname: host.hostname,
    platform: Platform.create({ architecture: host.machine, os: 'linux' }),
    resources: Resources.create({
      nanoCpus: host.cpuCount * 1e9,
      memoryBytes: host.memoryBytes,
      genericResources: input.genericResources.map(genericResource),
    }),
    engine: EngineDescription.create({
      engineVersion: input.engineVersion,
      labels: input.labels,
      plugins: PLUGINS.map(([type, name]) => PluginDescription.create({ type, name })),
    }),
    tlsInfo: tlsInfo(input.identity),
    addresses: input.mesh.hostAddresses,
    wireguardKey: input.mesh.wireguardKey,
    meshAddr: input.mesh.address,
    meshPort: input.mesh.port,
    meshFaults: input.mesh.faults,
  });
}

const PEM_BLOCK = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----\n?/g;

/** Which roots this node trusts, and which of them its certificate is of: what a new root waits for. */
function tlsInfo({ caCert, certificate }: TlsIdentity): NodeTlsInfo {
  const leaf = new X509Certificate(certificate);
  for (const [pem] of caCert.matchAll(PEM_BLOCK)) {
    const root = new X509Certificate(pem);
    if (!leaf.verify(root.publicKey)) continue;
    return NodeTlsInfo.create({
      trustRoot: caCert,
      certIssuerPublicKey: root.publicKey.export({ type: 'spki', format: 'der' }),
    });
  }
  return NodeTlsInfo.create({ trustRoot: caCert });
}

/** GPU=uuid is a thing with a name, SSD=3 a number of things. */
function genericResource(text: string): GenericResource {
  const at = text.indexOf('=');
  const [kind, value] = [text.slice(0, at), text.slice(at + 1)];
  return /^\d+$/.test(value)
    ? GenericResource.create({ discreteResourceSpec: { kind, value: Number(value) } })
    : GenericResource.create({ namedResourceSpec: { kind, value } });
}

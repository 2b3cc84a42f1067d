// What this node tells the managers about itself: host, platform, resources, plug-ins, addresses, its mesh key.
import {
  EngineDescription,
  NodeDescription,
  NodeTlsInfo,
  PluginDescription,
} from '#protocol/generated/objects';
import { GenericResource, Platform, Resources } from '#protocol/generated/specs';
import { LOG_DRIVERS } from '#protocol/log-drivers';
import { issuerOf } from '#protocol/transport/certificate';
import type { TlsIdentity } from '#protocol/transport/grpc';
import type { MeshDescription } from './network/types.ts';
import type { HostFacts } from './runtime/host-facts.ts';

const PLUGINS: readonly (readonly [string, string])[] = [
  ...LOG_DRIVERS.map((name) => ['Log', name] as const),
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
  /** 0 = gives no images. */
  readonly imagePort: number;
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
    imagePort: input.imagePort,
  });
}

/** Which roots this node trusts, and which of them its certificate is of: what a new root waits for. */
function tlsInfo({ caCert, certificate }: TlsIdentity): NodeTlsInfo {
  const issuer = issuerOf(certificate, caCert);
  return NodeTlsInfo.create({
    trustRoot: caCert,
    ...(issuer ? { certIssuerSubject: issuer.subject, certIssuerPublicKey: issuer.publicKey } : {}),
  });
}

/** GPU=uuid is a thing with a name, SSD=3 a number of things. */
function genericResource(text: string): GenericResource {
  const at = text.indexOf('=');
  const [kind, value] = [text.slice(0, at), text.slice(at + 1)];
  return /^\d+$/.test(value)
    ? GenericResource.create({ discreteResourceSpec: { kind, value: Number(value) } })
    : GenericResource.create({ namedResourceSpec: { kind, value } });
}

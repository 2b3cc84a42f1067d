// tswarm network check: how this node reaches the others, measured now; and what the other nodes say of themselves. Exit code 1 when anything is wrong.
import type { ApiClient, Json } from '../../client/http.ts';
import { EXIT } from '../../output/fail.ts';
import { formatList } from '../../output/format.ts';

interface PeerReport {
  readonly hostname: string;
  readonly nodeId: string;
  readonly endpoint: string;
  readonly handshakeSeconds: number;
  readonly sent: number;
  readonly received: number;
  readonly rttMs: number;
  readonly faults: readonly string[];
}

interface Report {
  readonly mtuBytes: number;
  readonly peers: readonly PeerReport[];
  readonly faults: readonly string[];
}

/** What was measured, what other nodes say, and all that is wrong. */
export async function networkFaults(client: ApiClient): Promise<{
  readonly report: Report;
  readonly others: readonly string[];
  readonly faults: readonly string[];
}> {
  const [report, others] = await Promise.all([
    client.get<Report>('/tswarm/v1/network/check'),
    otherFaults(client),
  ]);
  const faults = [
    ...report.faults,
    ...report.peers.flatMap((peer) => peer.faults.map((fault) => `${nameOf(peer)}: ${fault}`)),
    ...others,
  ];
  return { report, others, faults };
}

export async function check(
  client: ApiClient,
  options: { readonly json?: boolean },
): Promise<number> {
  const { report, others, faults } = await networkFaults(client);
  if (options.json) process.stdout.write(`${JSON.stringify({ ...report, others }, null, 2)}\n`);
  else process.stdout.write(textOf(report, faults));
  return faults.length === 0 ? EXIT.ok : EXIT.failed;
}

/** What other nodes have reported; nothing where this node may not ask. */
async function otherFaults(client: ApiClient): Promise<readonly string[]> {
  const nodes = await client.get<Json[]>('/nodes').catch(() => []);
  return nodes.flatMap((node) => {
    const { Hostname, MeshFaults } = (node.Description ?? {}) as Json;
    return ((MeshFaults as readonly string[] | undefined) ?? []).map(
      (fault) => `${Hostname} says: ${fault}`,
    );
  });
}

function nameOf({ hostname, nodeId }: PeerReport): string {
  return hostname === '' ? nodeId : hostname;
}

function textOf(report: Report, faults: readonly string[]): string {
  const rows = report.peers.map((peer) => ({
    Node: nameOf(peer),
    Endpoint: peer.endpoint === '' ? '-' : peer.endpoint,
    Handshake: peer.handshakeSeconds < 0 ? 'none' : `${peer.handshakeSeconds} s ago`,
    Answers: `${peer.received}/${peer.sent}`,
    Rtt: peer.received === 0 ? '-' : `${peer.rttMs.toFixed(2)} ms`,
    State: peer.faults.length === 0 ? 'ok' : peer.faults.join('; '),
  }));
  const columns = [
    ['NODE', 'Node'],
    ['ENDPOINT', 'Endpoint'],
    ['HANDSHAKE', 'Handshake'],
    ['ANSWERS', 'Answers'],
    ['ROUND TRIP', 'Rtt'],
    ['STATE', 'State'],
  ] as const;
  const table =
    rows.length === 0
      ? 'This node exchanges packets with no other node now.\n'
      : `${formatList({ columns, rows }, {})}MTU of the tunnel: ${report.mtuBytes} bytes\n`;
  const verdict =
    faults.length === 0
      ? 'Nothing is wrong.\n'
      : `\nFaults:\n${faults.map((fault) => `  ${fault}\n`).join('')}`;
  return `${table}${verdict}`;
}

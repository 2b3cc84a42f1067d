// Echoes to other nodes through the tunnel, by a run of tswarm-net of its own: what was sent, and what came back.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { PROBE_TIMEOUT_MS } from '../limits.ts';

export interface Probe {
  /** Of a node inside the tunnel. */
  readonly address: string;
  readonly sent: number;
  readonly received: number;
  /** Best of some; 0 = no answer. */
  readonly rttMs: number;
  /** A full packet came back. */
  readonly full: boolean;
}

/** `mtuBytes`: size of the full packets; 0 = none, and soon done. Address → what came back. */
export async function probe(
  program: string,
  mtuBytes: number,
  addresses: readonly string[],
): Promise<ReadonlyMap<string, Probe>> {
  if (addresses.length === 0) return new Map();
  const args = ['probe', String(mtuBytes), ...addresses];
  const { stdout } = await promisify(execFile)(program, args, { timeout: PROBE_TIMEOUT_MS });
  const probes = JSON.parse(stdout) as readonly Probe[];
  return new Map(probes.map((one) => [one.address, one]));
}

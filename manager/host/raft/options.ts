// Defaults of the Raft host, in one place, and the check of what a caller gives.

import { SEGMENT_DEFAULT_BYTES, SEGMENT_MIN_BYTES } from '#manager/wal/limits';
import { TswarmError } from '#protocol/errors';
import type { RaftNodeOptions } from './raft-node.ts';

/** What has no default. */
export type RaftNodeSettings = Pick<
  RaftNodeOptions,
  'dataDir' | 'clusterId' | 'raftId' | 'startMode'
> &
  Partial<RaftNodeOptions>;

const DEFAULTS = {
  forceNewCluster: false,
  listenAddress: null,
  advertiseAddress: null,
  instance: '',
  tickMs: 100,
  heartbeatTicks: 1,
  // 1 s: ten heartbeats, well above the pauses of this thread (raft.md §1.1, §5).
  electionTicks: 10,
  snapshotEveryEntries: 10_000,
  snapshotEveryBytes: 64 * 1024 * 1024,
  // etcd keeps 5,000: a manager that restarts under load then still catches up from the log.
  trailingEntries: 5_000,
  segmentBytes: SEGMENT_DEFAULT_BYTES,
  proposeTimeoutMs: 25_000,
};

/** Fills and checks options once. @throws TswarmError `invalid_argument` with the field */
export function compileRaftOptions(settings: RaftNodeSettings): RaftNodeOptions {
  const options = { ...DEFAULTS, ...settings };
  requireThat(
    Number.isSafeInteger(options.raftId) && options.raftId > 0,
    'raftId',
    'a positive integer below 2^53',
  );
  requireThat(
    /^[\x21-\x7e]{1,64}$/.test(options.clusterId),
    'clusterId',
    '1 to 64 ASCII characters',
  );
  requireThat(options.dataDir.startsWith('/'), 'dataDir', 'an absolute path');
  for (const field of ['listenAddress', 'advertiseAddress'] as const) {
    const address = options[field];
    requireThat(address === null || /^.+:\d{1,5}$/.test(address), field, '`host:port`');
  }
  requireThat(options.tickMs >= 1, 'tickMs', 'at least 1');
  requireThat(options.heartbeatTicks >= 1, 'heartbeatTicks', 'at least 1');
  requireThat(
    options.electionTicks > options.heartbeatTicks,
    'electionTicks',
    'more than heartbeatTicks',
  );
  requireThat(
    options.segmentBytes >= SEGMENT_MIN_BYTES,
    'segmentBytes',
    `at least ${SEGMENT_MIN_BYTES}`,
  );
  requireThat(options.segmentBytes % 4096 === 0, 'segmentBytes', 'a multiple of 4096');
  requireThat(options.snapshotEveryEntries >= 1, 'snapshotEveryEntries', 'at least 1');
  requireThat(options.trailingEntries >= 0, 'trailingEntries', 'not negative');
  return options;
}

function requireThat(condition: boolean, field: string, what: string): void {
  if (condition) return;
  throw new TswarmError('invalid_argument', `raft option ${field} must be ${what}`, { field });
}

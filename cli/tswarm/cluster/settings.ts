// Flags of init, update and ca that are settings of the cluster, as a part of the Engine API's ClusterSpec. What is not given is not in it.

import { parseDuration } from '#compose-spec/load/units';
import type { EngineJson } from '#protocol/engine';
import { TswarmError } from '#protocol/errors';

export interface SettingFlags {
  readonly autolock?: boolean | string;
  readonly certExpiry?: string;
  readonly dispatcherHeartbeat?: string;
  readonly taskHistoryLimit?: string;
  readonly snapshotInterval?: string;
  readonly maxSnapshots?: string;
  readonly externalCa?: string;
}

/** @throws invalid_argument naming the flag. */
export function settingsOf(flags: SettingFlags): EngineJson {
  if (flags.externalCa !== undefined) {
    throw new TswarmError(
      'not_supported',
      '--external-ca: external authorities are not supported',
      {
        hint: 'Bring your own root instead: tswarm ca --rotate --ca-cert FILE --ca-key FILE.',
      },
    );
  }
  const spec: Record<string, EngineJson> = {};
  const put = (part: string, name: string, value: unknown): void => {
    if (value !== undefined) spec[part] = { ...spec[part], [name]: value };
  };
  const history = count('--task-history-limit', flags.taskHistoryLimit, -1);
  put('Orchestration', 'TaskHistoryRetentionLimit', history);
  put('Raft', 'SnapshotInterval', count('--snapshot-interval', flags.snapshotInterval, 1));
  put('Raft', 'KeepOldSnapshots', count('--max-snapshots', flags.maxSnapshots, 0));
  put('CAConfig', 'NodeCertExpiry', duration('--cert-expiry', flags.certExpiry));
  const heartbeat = duration('--dispatcher-heartbeat', flags.dispatcherHeartbeat);
  put('Dispatcher', 'HeartbeatPeriod', heartbeat);
  put('EncryptionConfig', 'AutoLockManagers', truth('--autolock', flags.autolock));
  return spec;
}

/** A whole number from a flag. */
export function count(flag: string, text: string | undefined, least: number): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (/^-?\d{1,15}$/.test(text) && value >= least) return value;
  throw new TswarmError(
    'invalid_argument',
    `${flag} ${text}: must be a whole number from ${least}`,
  );
}

/** Nanoseconds. */
function duration(flag: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const result = parseDuration(text);
  if (result.ok && result.value > 0 && Number.isSafeInteger(result.value)) return result.value;
  const why = result.ok ? 'must be above 0 and below 2500h' : result.message;
  throw new TswarmError('invalid_argument', `${flag}: ${why}`, { hint: 'Write 720h, 90m or 5s.' });
}

function truth(flag: string, value: boolean | string | undefined): boolean | undefined {
  if (value === undefined || typeof value === 'boolean') return value;
  if (value === 'true' || value === 'false') return value === 'true';
  throw new TswarmError('invalid_argument', `${flag}=${value}: must be true or false`);
}

/** A flag that is docker's and has no meaning here. */
export function refuseDataPathAddr(value: string | undefined): void {
  if (value === undefined) return;
  throw new TswarmError(
    'not_supported',
    '--data-path-addr: where a node takes container traffic is a setting of its daemon',
    {
      hint: 'Leave it out, and start tswarmd there with --mesh-addr ADDRESS if it must be another.',
    },
  );
}

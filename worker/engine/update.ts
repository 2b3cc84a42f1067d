// Body of POST /containers/{id}/update: only what it names changes; zero and absent both mean "as it is" for limits, as Docker has it.
import type { EngineJson } from '#protocol/engine';
import { TswarmError } from '#protocol/errors';
import type { HostConfig } from '../runtime/record.ts';
import { parseHostConfig } from './host-config.ts';
import { Body } from './json.ts';

const NUMBERS = [
  'BlkioWeight',
  'CpuShares',
  'CpuPeriod',
  'CpuQuota',
  'CpuRealtimePeriod',
  'CpuRealtimeRuntime',
  'NanoCpus',
  'Memory',
  'MemoryReservation',
  'MemorySwap',
] as const;

/** The configuration after the update. @throws invalid_argument */
export function updatedHostConfig(current: HostConfig, json: EngineJson): HostConfig {
  const body = new Body(json, '');
  const asked = parseHostConfig(json);
  const change: { -readonly [K in keyof HostConfig]?: HostConfig[K] } = {};
  for (const name of NUMBERS) {
    const value = body.number(name);
    if (value !== 0) change[name] = value;
  }
  if (asked.CpusetCpus !== '') change.CpusetCpus = asked.CpusetCpus;
  if (asked.CpusetMems !== '') change.CpusetMems = asked.CpusetMems;
  if (body.has('PidsLimit')) change.PidsLimit = asked.PidsLimit;
  if (body.body('RestartPolicy')?.text('Name')) {
    if (current.AutoRemove && asked.RestartPolicy.Name !== 'no') {
      throw new TswarmError(
        'invalid_argument',
        'Restart policy cannot be updated because AutoRemove is enabled for the container',
      );
    }
    change.RestartPolicy = asked.RestartPolicy;
  }
  if (change.MemorySwap === undefined && (change.Memory ?? 0) > current.MemorySwap) {
    // Also where swap was never limited, as with Docker: a limit of memory alone would say nothing about both together.
    throw new TswarmError(
      'invalid_argument',
      'Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time',
      { field: 'Memory' },
    );
  }
  return { ...current, ...change };
}

// A container's health check with its defaults filled in, and the pure step from one probe's result to the next health state (Docker's rules): a success
// makes healthy at once; failures count only after the start period, except that a success within it ends it; `retries` failures in a row make unhealthy.
// Deviation: Docker probes for the first time after a whole interval (30 s by default). We probe early, with growing pauses from 100 ms, and do not count
// failures of that time, so that a container is healthy as soon as it is; from the first interval on, counting is Docker's.
import {
  HEALTH_INTERVAL_MS_DEFAULT,
  HEALTH_LOG_ENTRIES,
  HEALTH_RETRIES_DEFAULT,
  HEALTH_START_INTERVAL_MS_DEFAULT,
  HEALTH_TIMEOUT_MS_DEFAULT,
} from '../limits.ts';
import type { ContainerConfig, HealthProbe, HealthRecord } from './record.ts';
import { DEFAULT_SHELL } from './record.ts';

export interface HealthCheck {
  /** argv of the probe. */
  readonly command: readonly string[];
  readonly intervalMs: number;
  readonly timeoutMs: number;
  readonly retries: number;
  readonly startPeriodMs: number;
  readonly startIntervalMs: number;
}

const NANOS_PER_MS = 1e6;
/** Pause before the first probe; doubles until the regular interval. */
const EARLY_PROBE_MS = 100;
const TIMER_SLACK_MS = 5;

/** Undefined when the container has none (also `["NONE"]`). */
export function healthCheckOf(config: ContainerConfig): HealthCheck | undefined {
  const check = config.Healthcheck;
  const [kind, ...rest] = check?.Test ?? [];
  if (!check || kind === undefined || kind === 'NONE' || rest.length === 0) return undefined;
  const command =
    kind === 'CMD-SHELL' ? [...(config.Shell ?? DEFAULT_SHELL), rest.join(' ')] : rest;
  const ms = (nanos: number | undefined, fallback: number): number =>
    nanos === undefined || nanos <= 0 ? fallback : nanos / NANOS_PER_MS;
  return {
    command,
    intervalMs: ms(check.Interval, HEALTH_INTERVAL_MS_DEFAULT),
    timeoutMs: ms(check.Timeout, HEALTH_TIMEOUT_MS_DEFAULT),
    retries: check.Retries && check.Retries > 0 ? check.Retries : HEALTH_RETRIES_DEFAULT,
    startPeriodMs: ms(check.StartPeriod, 0),
    startIntervalMs: ms(check.StartInterval, HEALTH_START_INTERVAL_MS_DEFAULT),
  };
}

export const STARTING_HEALTH: HealthRecord = { Status: 'starting', FailingStreak: 0, Log: [] };

/** The state after one probe. `sinceStartMs`: age of the container when the probe began. */
export function afterProbe(
  health: HealthRecord,
  probe: HealthProbe,
  check: HealthCheck,
  sinceStartMs: number,
): HealthRecord {
  const Log = [...health.Log, probe].slice(-HEALTH_LOG_ENTRIES);
  if (probe.ExitCode === 0) return { Status: 'healthy', FailingStreak: 0, Log };
  const inStartPeriod = health.Status === 'starting' && sinceStartMs < graceMs(check);
  if (inStartPeriod) return { ...health, Log };
  const FailingStreak = health.FailingStreak + 1;
  const Status = FailingStreak >= check.retries ? 'unhealthy' : health.Status;
  return { Status, FailingStreak, Log };
}

/** Until then failures do not count: the start period, at least the first interval (less a timer's inaccuracy). */
function graceMs(check: HealthCheck): number {
  return Math.max(check.startPeriodMs, check.intervalMs - TIMER_SLACK_MS);
}

/** Time until the next probe begins. `probes`: how many there were in this run. */
export function probeDelayMs(
  health: HealthRecord,
  check: HealthCheck,
  sinceStartMs: number,
  probes: number,
): number {
  if (health.Status !== 'starting' || sinceStartMs >= graceMs(check)) return check.intervalMs;
  const pause = EARLY_PROBE_MS * 2 ** Math.min(probes, 20);
  const steady = Math.min(check.startIntervalMs, check.intervalMs);
  if (sinceStartMs < check.startPeriodMs) return Math.min(pause, steady);
  // The first probe that counts is at Docker's time, one interval after the start.
  return Math.min(pause, Math.max(check.intervalMs - sinceStartMs, EARLY_PROBE_MS));
}

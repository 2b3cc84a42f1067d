// Probes one running container: a timer and an exec at a time, nothing between probes. What a result means is decided in health-config.ts.
// Stops with the run; a probe that is under way then is left to end by itself with the container.
import { delay } from '../queue.ts';
import type { Container, Run } from './container.ts';
import type { RuntimeDeps } from './deps.ts';
import { execProcessOf } from './exec-process.ts';
import type { HealthCheck } from './health-config.ts';
import { afterProbe, probeDelayMs, STARTING_HEALTH } from './health-config.ts';
import type { HealthProbe, HealthRecord } from './record.ts';
import { runInside } from './run-inside.ts';

/** Begins probing; `resume`: an adopted container keeps its state instead of starting over. */
export function monitorHealth(
  container: Container,
  run: Run,
  check: HealthCheck,
  deps: RuntimeDeps,
  resume: boolean,
): { stop(): void } {
  const stopped = new AbortController();
  if (!resume || container.state.health === null) void container.setHealth(STARTING_HEALTH);
  void probeLoop(container, run, check, deps, stopped.signal);
  return { stop: () => stopped.abort() };
}

async function probeLoop(
  container: Container,
  run: Run,
  check: HealthCheck,
  deps: RuntimeDeps,
  signal: AbortSignal,
): Promise<void> {
  for (let probes = 0; ; probes += 1) {
    const before = container.state.health ?? STARTING_HEALTH;
    const age = (): number => deps.clock.monotonicMs() - run.startedAtMs;
    await delay(probeDelayMs(before, check, age(), probes), signal);
    if (signal.aborted) return;
    if (container.state.status === 'paused') continue;
    const sinceStartMs = age();
    const probe = await probeOnce(container, run, check, deps);
    if (signal.aborted) return;
    const health = afterProbe(
      container.state.health ?? STARTING_HEALTH,
      probe,
      check,
      sinceStartMs,
    );
    await report(container, before, health, deps);
  }
}

async function report(
  container: Container,
  before: HealthRecord,
  health: HealthRecord,
  deps: RuntimeDeps,
): Promise<void> {
  await container.setHealth(health);
  if (health.Status === before.Status) return;
  deps.events.emit({
    type: 'container',
    action: `health_status: ${health.Status}`,
    actorId: container.id,
    attributes: {
      ...container.record.config.Labels,
      image: container.record.image,
      name: container.record.name,
    },
  });
  deps.changed({ type: 'health', container, health });
}

async function probeOnce(
  container: Container,
  run: Run,
  check: HealthCheck,
  deps: RuntimeDeps,
): Promise<HealthProbe> {
  const Start = new Date(deps.clock.nowMs()).toISOString();
  const done = (ExitCode: number, Output: string): HealthProbe => ({
    Start,
    End: new Date(deps.clock.nowMs()).toISOString(),
    ExitCode,
    Output,
  });
  try {
    const process = await execProcessOf(
      container,
      { command: check.command, env: [], workingDir: '', user: '', tty: false, privileged: false },
      deps,
    );
    const { timeoutMs } = check;
    const { exitCode, output, wasCut } = await runInside(run, process, { timeoutMs });
    if (!wasCut) return done(exitCode, output);
    return done(-1, `Health check exceeded timeout (${formatMs(timeoutMs)}): ${output}`);
  } catch (error) {
    return done(-1, error instanceof Error ? error.message : String(error));
  }
}

function formatMs(ms: number): string {
  return ms % 1000 === 0 ? `${ms / 1000}s` : `${ms}ms`;
}

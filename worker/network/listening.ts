// Waits until a container that was just started listens on the TCP ports that it publishes, so that a task without a health check gets connections only
// when it can take them. Looks into its network namespace (/proc/PID/net/tcp, tcp6) and never connects: programs log, count or refuse connections that
// say nothing. A program that listens on only some of its ports is waited for a moment longer, one that listens on none until the limit.
// Refuses containers on the host's network, where the listener could be anybody's: that is the caller's part.
import {
  LISTEN_POLL_MS_MAX,
  LISTEN_POLL_MS_MIN,
  LISTEN_SOME_MS,
  LISTEN_WAIT_MS,
} from './limits.ts';
import { listeningPorts, tcpTables } from './open-connections.ts';

export interface ListenOptions {
  /** A process in the container. */
  readonly pid: number;
  readonly ports: readonly number[];
  /** True ends the wait at once, as when the process is gone. */
  readonly isOver: () => boolean;
}

/** Resolves when it listens, or need not be waited for any longer: with the ports on which nothing listens. */
export async function listening({ pid, ports, isOver }: ListenOptions): Promise<readonly number[]> {
  const startedAt = performance.now();
  let someSince: number | undefined;
  for (;;) {
    const open = listeningPorts(await tcpTables(pid));
    const missing = ports.filter((port) => !open.has(port));
    const now = performance.now();
    if (missing.length < ports.length) someSince ??= now;
    const isLongEnough = someSince !== undefined && now - someSince >= LISTEN_SOME_MS;
    const waitedMs = now - startedAt;
    if (missing.length === 0 || isLongEnough || waitedMs >= LISTEN_WAIT_MS || isOver()) {
      return missing;
    }
    // Most programs listen within some ten milliseconds; those that do not are not looked at that often.
    const pauseMs = Math.min(LISTEN_POLL_MS_MAX, Math.max(LISTEN_POLL_MS_MIN, waitedMs / 8));
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
}

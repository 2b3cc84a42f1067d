// Keeps a second daemon off the same data root: a lock file with pid and start time of the holder, made with link(2) so that two can never both have
// it. A holder that is gone (killed, rebooted) is recognised by its start time and replaced.
import { linkSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { TswarmError } from '#protocol/errors';

const ATTEMPTS_MAX = 5;

/** Takes the lock. @returns gives it back. @throws already_exists naming who has it. */
export function takeLock(folder: string): () => void {
  const path = join(folder, 'tswarmd.lock');
  const mine = `${process.pid} ${startTimeOf(process.pid) ?? '0'}\n`;
  const draft = `${path}.${process.pid}`;
  writeFileSync(draft, mine, { mode: 0o600 });
  try {
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
      try {
        linkSync(draft, path);
        sweepDrafts(folder);
        return () => rmSync(path, { force: true });
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      }
      const holder = readHolder(path);
      if (holder?.alive) {
        throw new TswarmError(
          'already_exists',
          `data root ${folder}: tswarmd ${holder.pid} uses it`,
          {
            hint: 'Stop that one, or choose another --data-root.',
          },
        );
      }
      rmSync(path, { force: true });
    }
  } finally {
    rmSync(draft, { force: true });
  }
  throw new TswarmError('unavailable', `data root ${folder}: the lock file keeps changing`);
}

/** Drafts of daemons that were killed while they took the lock. */
function sweepDrafts(folder: string): void {
  for (const name of readdirSync(folder)) {
    const pid = /^tswarmd\.lock\.(\d+)$/.exec(name)?.[1];
    if (pid === undefined) continue;
    const path = join(folder, name);
    // Without its contents (torn) the name says who wrote it.
    const isAlive = readHolder(path)?.alive ?? startTimeOf(Number(pid)) !== undefined;
    if (!isAlive) rmSync(path, { force: true });
  }
}

function readHolder(path: string): { readonly pid: number; readonly alive: boolean } | undefined {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
  const [pid = '', started = ''] = text.trim().split(' ');
  const number = Number(pid);
  if (!Number.isSafeInteger(number) || number <= 0) return undefined;
  return { pid: number, alive: startTimeOf(number) === started };
}

/**
 * Start time of a process in clock ticks since boot (field 22 of /proc/PID/stat); undefined when there is none, or only its exit status is left because
 * nobody has asked for it (a container's first process often never does).
 */
export function startTimeOf(pid: number): string | undefined {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return undefined;
  }
  // The name in field 2 may hold spaces and parentheses: count from the last one.
  const rest = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return rest[0] === 'Z' && !hasThreads(pid) ? undefined : rest[19];
}

/** A process whose first thread has ended may still have others at work. */
function hasThreads(pid: number): boolean {
  try {
    return readdirSync(`/proc/${pid}/task`).length > 1;
  } catch {
    return false;
  }
}

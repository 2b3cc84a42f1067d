// Keeps two processes from using one data folder: a file `raft.lock` with pid and start time of its
// holder. A lock whose holder is gone (kill -9, reboot) is taken over. Within one process a second
// lock of the same folder is refused as well.
import { closeSync, openSync, readFileSync, unlinkSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { TswarmError } from '#protocol/errors';

/** Field 22 of /proc/PID/stat, counted after the parenthesised name. */
const START_TIME_FIELD = 19;

/** Locks `folder`; returns the release. @throws TswarmError `already_exists` if it is in use */
export function lockFolder(folder: string): () => void {
  const path = join(folder, 'raft.lock');
  const own = `${process.pid} ${startTimeOf(process.pid) ?? ''}\n`;
  for (let attempt = 0; ; attempt++) {
    try {
      const fd = openSync(path, 'wx', 0o600);
      writeSync(fd, own);
      closeSync(fd);
      return () => {
        unlinkSync(path);
      };
    } catch (cause) {
      const pid = liveHolder(path);
      if (pid !== null || attempt > 2) {
        const message = `${folder} is in use by process ${pid ?? 'unknown'}`;
        throw new TswarmError('already_exists', message, {
          cause,
          hint: 'stop that process first',
        });
      }
      removeStale(path);
    }
  }
}

function liveHolder(path: string): number | null {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    return null;
  }
  const [pid, startTime] = text.trim().split(' ');
  const live = startTimeOf(Number(pid));
  return live !== null && live === startTime ? Number(pid) : null;
}

function removeStale(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // Somebody else has just removed it; the next attempt tells.
  }
}

/** Start time in clock ticks since boot, as text; null if there is no such process. */
function startTimeOf(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[START_TIME_FIELD] ?? null;
  } catch {
    return null;
  }
}

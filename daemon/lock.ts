// Keeps a second daemon off the same data root: a lock file with pid and start time of the holder, made with link(2) so that two can never both have
// it. A holder that is gone (killed, rebooted) is recognised by its start time and succeeded. Who succeeds it is settled by a claim, a lock of the same
// kind that carries the gone holder's name: with the claim in hand the lock is read again, so whoever looked before somebody else's succession finds a
// new holder. A claim of one that was killed is succeeded in the same way.
import { linkSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { TswarmError } from '#protocol/errors';
import { diskError, isFull } from '#worker/files';
import { overwrite, takeSpareFile } from '#worker/spare-files';

const ATTEMPTS_MAX = 5;
const NAME = 'tswarmd.lock';

/**
 * Takes the lock. @returns gives it back. @throws already_exists naming who has it. `foundGone` (for tests) runs between finding that the holder is
 * gone and succeeding it.
 */
export function takeLock(folder: string, foundGone: () => void = () => {}): () => void {
  const path = join(folder, NAME);
  const draft = `${path}.${process.pid}`;
  const mine = `${process.pid} ${startTimeOf(process.pid) ?? '0'}\n`;
  try {
    takeFile({ folder, draft, mine, foundGone }, path, ATTEMPTS_MAX);
  } finally {
    rmSync(draft, { force: true });
  }
  sweepLeftovers(folder);
  return () => rmSync(path, { force: true });
}

interface Taker {
  readonly folder: string;
  readonly draft: string;
  readonly mine: string;
  readonly foundGone: () => void;
}

/** Makes the file at `path` ours: the lock itself, or the claim to succeed a holder that is gone. */
function takeFile(taker: Taker, path: string, attempts: number): void {
  const { folder, draft } = taker;
  for (let left = attempts; left > 0; left--) {
    writeDraft(taker);
    try {
      linkSync(draft, path);
      return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    const text = readText(path);
    if (text === undefined) continue;
    refuseHeld(folder, text);
    taker.foundGone();
    const claim = `${path}.${text.trim().replace(/[^0-9]/g, '-') || 'torn'}`;
    takeFile(taker, claim, left - 1);
    try {
      if (readText(path) !== text) continue;
      writeDraft(taker);
      renameSync(draft, path);
      return;
    } finally {
      rmSync(claim, { force: true });
    }
  }
  throw new TswarmError('unavailable', `data root ${folder}: the lock file keeps changing`);
}

/** Also on a full disk: a daemon that has ended there must come back to its containers. */
function writeDraft({ folder, draft, mine }: Taker): void {
  try {
    writeFileSync(draft, mine, { mode: 0o600 });
  } catch (error) {
    rmSync(draft, { force: true });
    if (!isFull(error) || !takeSpareFile(folder, draft)) {
      throw diskError(error, `data root ${folder}`);
    }
    overwrite(draft, Buffer.from(mine), 0o600);
  }
}

function refuseHeld(folder: string, text: string): void {
  const holder = parseHolder(text);
  if (!holder?.alive) return;
  throw new TswarmError('already_exists', `data root ${folder}: tswarmd ${holder.pid} uses it`, {
    hint: 'Stop that one, or choose another --data-root.',
  });
}

/** Drafts and claims of daemons that were killed while they took the lock. */
function sweepLeftovers(folder: string): void {
  for (const name of readdirSync(folder)) {
    if (!name.startsWith(`${NAME}.`)) continue;
    const path = join(folder, name);
    const holder = parseHolder(readText(path) ?? '');
    // A draft without its contents (torn): its name says who wrote it.
    const pid = Number(name.slice(NAME.length + 1));
    const isAlive = holder?.alive ?? startTimeOf(pid) !== undefined;
    if (!isAlive) rmSync(path, { force: true });
  }
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

function parseHolder(text: string): { readonly pid: number; readonly alive: boolean } | undefined {
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

// Goal: the check of a decayed disk sees every silent loss, and takes for none what the write that was on
// its way has overwritten. Method: a log that was durable, a last write without an answer, and what a
// restart may find.
import { expect, it } from 'vitest';
import { type Entry, EntryType, type HardState } from '#manager/raft/types';
import type { WalContents } from '#manager/wal/recovery';
import type { Done, Wal, WalBatch } from '#manager/wal/wal';
import { DurableLog } from './durable-log.ts';

const NOTHING = new Uint8Array(0);
const HARD: HardState = { term: 5, vote: 0, commit: 2 };

function entries(...terms: number[]): Entry[] {
  return terms.map((term, i) => ({ term, index: i + 1, type: EntryType.normal, data: NOTHING }));
}

function found(list: readonly Entry[], recoverUpTo = 0): WalContents {
  return {
    hardState: HARD,
    mark: null,
    base: { index: 0, term: 0 },
    entries: list,
    lastBatchNo: 2,
    lastTag: NOTHING,
    segments: [],
    spares: [],
    void: [],
    highestSeq: 1,
    recoverUpTo,
    recoverTerm: recoverUpTo,
    isClosedCleanly: false,
    tornBytes: 0,
    damage: null,
  };
}

/** Four entries are durable; a new leader's third one, which replaces two, is on its way. */
function restart(contents: WalContents): () => void {
  const log = new DurableLog(1);
  let answer: Done | null = null;
  const wal = {
    append: (_batch: WalBatch, done: Done) => {
      answer = done;
    },
  } as unknown as Wal;
  log.follow(wal, () => {});
  wal.append({ hardState: HARD, entries: entries(1, 1, 4, 4), mark: null }, () => {});
  (answer as Done | null)?.(null);
  const overwriting = entries(1, 1, 5).slice(2);
  wal.append({ hardState: HARD, entries: overwriting, mark: null }, () => {});
  return () => log.restart({ contents, isNew: false, isForced: false }, true);
}

it('the log with the last write, or without it, is whole', () => {
  for (const whole of [entries(1, 1, 4, 4), entries(1, 1, 5)]) {
    expect(restart(found(whole))).not.toThrow();
  }
});

it.each([
  ['the last entry', entries(1, 1, 4)],
  ['what the last write overwrites, and the write', entries(1, 1)],
  ['all', []],
])('a loss of %s must be reported', (_, rest) => {
  expect(restart(found(rest))).toThrow('damage that loses entries is reported');
  expect(restart(found(rest, 4))).not.toThrow();
});

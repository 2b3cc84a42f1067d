// Goal: whatever the moment of a power cut, a reopened log holds every batch that was reported
// durable, at most the one that was on its way besides, and never calls a torn write damage.
// Method: random batches against a disk that keeps random sectors of unfinished writes; after each
// crash the log is compared with a naive twin. Crypto watches that no nonce is used twice.
import { describe, expect, it } from 'vitest';
import { type Entry, EntryType } from '#manager/raft/types';
import type { WalBatch } from '#manager/wal/wal';
import { Prng } from '#test/support/prng';
import { FakeDisk } from '#test/support/wal/fake-disk';
import {
  applyBatch,
  EMPTY_MODEL,
  type LogModel,
  modelText,
  openWhole,
  WatchedCrypto,
} from '#test/support/wal/harness';

/** More with `TSWARM_TEST_RUNS=5000`. */
const RUNS = Number(process.env.TSWARM_TEST_RUNS ?? 60);
const CRASHES_PER_RUN = 8;
const BATCHES_PER_LIFE = 25;

/** A batch that could follow `model`: entries (perhaps overwriting), a vote, or a snapshot mark. */
function randomBatch(model: LogModel, prng: Prng): WalBatch {
  const term = Math.max(1, model.hardState.term + (prng.chance(0.15) ? 1 : 0));
  const vote = prng.chance(0.2) ? 1 + prng.below(3) : model.hardState.vote;
  const last = model.entries[model.entries.length - 1];
  const lastIndex = last?.index ?? model.base.index;
  const hardState = { term, vote, commit: Math.max(model.hardState.commit, model.base.index) };
  const kind = prng.next();
  if (kind < 0.1) return { hardState, entries: [], mark: null };
  if (kind < 0.2 && last !== undefined) {
    const at = model.entries[prng.below(model.entries.length)] as Entry;
    const behind = model.entries.find(({ index }) => index === at.index - prng.below(5)) ?? at;
    const confState = {
      voters: [5],
      votersOutgoing: [],
      learners: [],
      learnersNext: [],
      autoLeave: false,
      epoch: 0,
    };
    const meta = { index: at.index, term: at.term, confState };
    const base = { index: behind.index, term: behind.term };
    return { hardState, entries: [], mark: { meta, hasFile: true, base, replacesLog: false } };
  }
  const canOverwrite = last !== undefined && prng.chance(0.1);
  const from = canOverwrite ? Math.max(model.base.index + 1, lastIndex - 3) : lastIndex + 1;
  const count = 1 + prng.below(prng.chance(0.1) ? 40 : 4);
  const size = prng.chance(0.1) ? 9_000 : 300;
  const entries = Array.from({ length: count }, (_, i) => ({
    term,
    index: from + i,
    type: EntryType.normal,
    data: prng.bytes(prng.below(Math.min(size, Math.floor(40_000 / count)))),
  }));
  return { hardState, entries, mark: null };
}

/** One life of the process: open, write, die. Returns the models that the next life may find. */
function live(disk: FakeDisk, crypto: WatchedCrypto, before: LogModel, prng: Prng): LogModel[] {
  const { wal, contents } = openWhole(disk, crypto);
  let durable = before;
  let possible: LogModel[] = [before];
  let isBusy = true;
  wal.begin(contents.void, (error) => {
    expect(error).toBeNull();
    isBusy = false;
  });
  const lifeSteps = prng.below(BATCHES_PER_LIFE * 3);
  for (let step = 0; step < lifeSteps; step++) {
    if (!isBusy) {
      const batch = randomBatch(durable, prng);
      const next = applyBatch(durable, batch);
      isBusy = true;
      possible = [durable, next];
      wal.append(batch, (error) => {
        expect(error).toBeNull();
        isBusy = false;
        durable = next;
        possible = [next];
      });
    }
    if (prng.chance(0.7)) disk.completeOne();
  }
  disk.crash(prng);
  return possible;
}

describe('power cuts', () => {
  it(`loses nothing that was durable (${RUNS} runs of ${CRASHES_PER_RUN} crashes)`, () => {
    let found = 0;
    let inFlightKept = 0;
    for (let seed = 1; seed <= RUNS; seed++) {
      const prng = new Prng(seed);
      const disk = new FakeDisk();
      const crypto = new WatchedCrypto();
      let model = EMPTY_MODEL;
      for (let crash = 0; crash < CRASHES_PER_RUN; crash++) {
        const possible = live(disk, crypto, model, prng);
        const { contents } = openWhole(disk.clone(), crypto);
        const text = modelText(contents);
        const match = possible.findIndex((candidate) => modelText(candidate) === text);
        expect(match, `seed ${seed} crash ${crash}: the log is neither old nor new`).not.toBe(-1);
        model = possible[match] as LogModel;
        found++;
        if (match === 1) inFlightKept++;
      }
    }
    // The test would prove little if unfinished writes always vanished, or always survived.
    expect(found).toBe(RUNS * CRASHES_PER_RUN);
    expect(inFlightKept).toBeGreaterThan(10);
    expect(inFlightKept).toBeLessThan(found / 2);
  }, 600_000);

  it('drops old segments once a snapshot covers them, and keeps what is needed', () => {
    const prng = new Prng(99);
    const disk = new FakeDisk();
    disk.isInstant = true;
    const crypto = new WatchedCrypto();
    const { wal } = openWhole(disk, crypto);
    wal.begin([], () => {});
    let model = EMPTY_MODEL;
    for (let i = 0; i < 400; i++) {
      const batch = randomBatch(model, prng);
      model = applyBatch(model, batch);
      wal.append(batch, (error) => expect(error).toBeNull());
    }
    expect(disk.list().length).toBeLessThan(40);
    expect(modelText(openWhole(disk, crypto).contents)).toBe(modelText(model));
  });
});

// How long a snapshot of 50,000 tasks holds up the manager's main thread: `node --conditions=source
// test/bench/store-snapshot.ts [ROUNDS]`. The longest of its pieces, between which other work runs,
// and putting them together; figures of each round, since garbage collection hits some: it is told apart.

import { type PerformanceEntry, PerformanceObserver } from 'node:perf_hooks';
import { setFlagsFromString } from 'node:v8';
import type { StoreWriteView } from '#manager/store/state';
import { Store } from '#manager/store/store';
import { service, task, template } from '../unit/manager/support/objects.ts';

// As manager/main.ts does.
setFlagsFromString('--heap-growing-percent=100');

const ROUNDS = Number(process.argv[2] ?? 5);
const SERVICES = 100;
const TASKS_PER_SERVICE = 500;

const store = new Store();
let index = 0;
let transactionId = 0;

function write(change: (tx: StoreWriteView) => void): void {
  const stamp = {
    nowMicros: index + 1,
    newTransactionId: () => ++transactionId,
    author: 'bench',
    summary: '',
    splittable: true,
  };
  for (const { bytes } of store.transact(stamp, change).proposals) store.apply(bytes, ++index);
}

for (let s = 0; s < SERVICES; s++) {
  const spec = { taskTemplate: template({}, { env: ['X='.padEnd(400, 'x')] }) };
  const one = service(`s${s}`, { name: `service${s}`, ...spec });
  write((tx) => {
    tx.create('service', one);
    for (let t = 0; t < TASKS_PER_SERVICE; t++) tx.create('task', task(`t${s}-${t}`, one));
  });
}
interface Piece {
  readonly fromMs: number;
  readonly toMs: number;
}

const collections: Piece[] = [];
const observer = new PerformanceObserver((list) => note(list.getEntries()));
observer.observe({ entryTypes: ['gc'] });

function note(entries: readonly PerformanceEntry[]): void {
  for (const { startTime, duration } of entries) {
    collections.push({ fromMs: startTime, toMs: startTime + duration });
  }
}

/** Milliseconds of a piece that went into garbage collection. */
function collectedMs({ fromMs, toMs }: Piece): number {
  return collections.reduce((sum, gc) => {
    return sum + Math.max(0, Math.min(toMs, gc.toMs) - Math.max(fromMs, gc.fromMs));
  }, 0);
}

for (let round = 0; round < ROUNDS; round++) {
  const parts: Uint8Array[] = [];
  const pieces: Piece[] = [];
  let beganMs = performance.now();
  for (const piece of store.snapshot()) {
    parts.push(piece);
    const toMs = performance.now();
    pieces.push({ fromMs: beganMs, toMs });
    // As the manager does: whatever waits runs now.
    await new Promise((resolve) => setImmediate(resolve));
    beganMs = performance.now();
  }
  const { length } = Buffer.concat(parts);
  const joinMs = performance.now() - beganMs;
  await new Promise((resolve) => setTimeout(resolve, 10));
  note(observer.takeRecords());
  const longest = pieces.reduce((a, b) => (b.toMs - b.fromMs > a.toMs - a.fromMs ? b : a));
  const own = pieces.map((piece) => piece.toMs - piece.fromMs - collectedMs(piece));
  const sum = pieces.reduce((ms, { fromMs, toMs }) => ms + toMs - fromMs, 0);
  const text = (ms: number): string => ms.toFixed(1);
  process.stdout.write(
    `${parts.length} pieces, ${length} bytes: longest ${text(longest.toMs - longest.fromMs)} ms, of it garbage collection ` +
      `${text(collectedMs(longest))} ms; longest without ${text(Math.max(...own))} ms; joined in ${text(joinMs)} ms, all ${text(sum)} ms\n`,
  );
}

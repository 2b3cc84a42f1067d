// How long a snapshot of 50,000 tasks holds up the manager's main thread: `node --conditions=source
// test/bench/store-snapshot.ts [ROUNDS]`. The longest of its pieces, between which other work runs,
// and putting them together; figures of each round, since garbage collection hits some.

import type { StoreWriteView } from '#manager/store/state';
import { Store } from '#manager/store/store';
import { service, task, template } from '../unit/manager/support/objects.ts';

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
for (let round = 0; round < ROUNDS; round++) {
  const parts: Uint8Array[] = [];
  const tookMs: number[] = [];
  let beganMs = performance.now();
  for (const piece of store.snapshot()) {
    parts.push(piece);
    tookMs.push(performance.now() - beganMs);
    beganMs = performance.now();
  }
  const { length } = Buffer.concat(parts);
  const joinMs = performance.now() - beganMs;
  const sum = tookMs.reduce((a, b) => a + b, 0);
  const figures = [Math.max(...tookMs), joinMs, sum].map((ms) => ms.toFixed(1));
  process.stdout.write(
    `${parts.length} pieces, ${length} bytes: longest ${figures[0]} ms, joined in ${figures[1]} ms, all ${figures[2]} ms\n`,
  );
}

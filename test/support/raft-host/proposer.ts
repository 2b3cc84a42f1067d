// A program to be killed: opens a member in a folder, prints the sequence numbers that it holds,
// then proposes ever new ones and prints each as soon as it is acknowledged.
// Arguments: folder, first number. Lines: `state 1-5,9-12`, `ack N`, `twice N` (never).
import { writeSync } from 'node:fs';
import { createRaftNode } from '#manager/host/raft/client';
import { compileRaftOptions } from '#manager/host/raft/options';
import { SILENT_LOG } from './silent-log.ts';

const IN_FLIGHT = 8;
const [dataDir = '', first = '1'] = process.argv.slice(2);
const held = new Set<number>();

/** Synchronous, so that what is printed was acknowledged before and nothing after is; a full pipe is waited for. */
function print(line: string): void {
  for (let rest = Buffer.from(`${line}\n`); rest.length > 0; ) {
    try {
      rest = rest.subarray(writeSync(1, rest));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
    }
  }
}

function ranges(): string {
  const sorted = [...held].sort((a, b) => a - b);
  const parts: string[] = [];
  for (let i = 0; i < sorted.length; ) {
    const from = sorted[i] as number;
    let to = from;
    while (held.has(to + 1)) to++;
    parts.push(`${from}-${to}`);
    i += to - from + 1;
  }
  return parts.join(',');
}

const node = createRaftNode(
  compileRaftOptions({
    dataDir,
    clusterId: 'kill-test',
    raftId: 3,
    startMode: 'bootstrap',
    // Small numbers, so that snapshots and new segments happen all the time.
    snapshotEveryEntries: 40,
    trailingEntries: 10,
    segmentBytes: 6 * 1024 * 1024,
  }),
  { log: SILENT_LOG },
);
node.onApply(({ data }) => {
  const seq = Number(Buffer.from(data.subarray(0, 12)).toString());
  if (held.has(seq)) print(`twice ${seq}`);
  held.add(seq);
});
node.onSnapshotRestore((bytes) => {
  held.clear();
  for (const seq of JSON.parse(Buffer.from(bytes).toString()) as number[]) held.add(seq);
});
node.provideSnapshot(() => Buffer.from(JSON.stringify([...held])));
await node.start();
print(`state ${ranges()}`);
// A life may have ended after its proposals were on the disk and before it could say so.
let next = [...held].reduce((above, seq) => Math.max(above, seq + 1), Number(first));
async function proposeForEver(): Promise<never> {
  for (;;) {
    const seq = next++;
    // Sizes from one block to a few, so that torn writes have many shapes.
    const data = Buffer.alloc(12 + ((seq * 7919) % 9000), 0x61);
    data.write(String(seq).padStart(12, '0'));
    await node.propose(data);
    print(`ack ${seq}`);
  }
}
await Promise.all(Array.from({ length: IN_FLIGHT }, proposeForEver));

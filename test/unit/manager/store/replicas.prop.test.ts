// Goal: whatever transactions are proposed, pipelined, lost or late, a leader (which reuses its own
// objects), a follower (which decodes) and a replica restored from a snapshot hold byte-identical
// states. Method: random schedules.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Proposal, Store } from '#manager/store/store';
import type { WriteView } from '#manager/store/view';
import { TaskState } from '#protocol/generated/objects';
import { attach, service, task, template, testStamp } from '../support/objects.ts';

const id = fc.integer({ min: 0, max: 6 });
const step = fc.oneof(
  fc.record({
    do: fc.constantFrom('service', 'relabel', 'task', 'assign', 'drop', 'unserve'),
    id,
    n: id,
  }),
  fc.record({ do: fc.constantFrom('commit', 'commit', 'lose', 'forget', 'restore'), id, n: id }),
);

function write(tx: WriteView, action: { do: string; id: number; n: number }): void {
  const sid = `s${action.id}`;
  const tid = `t${action.id}${action.n}`;
  const found = tx.get('service', sid);
  const old = tx.get('task', tid);
  if (action.do === 'service' && !found) {
    tx.create('service', service(sid, { labels: { '9': 'x', a: `${action.n}`, '1': 'y' } }));
  }
  if (action.do === 'relabel' && found) {
    const spec = template({ networks: [attach(`net${action.n}`)] }, { env: [`N=${action.n}`] });
    tx.update('service', service(sid, { taskTemplate: spec }, `stack${action.n % 2}`));
  }
  if (action.do === 'task' && found && !old)
    tx.create('task', task(tid, found, { slot: action.n }));
  if (action.do === 'assign' && old) {
    tx.update('task', { ...old, nodeId: `n${action.n}`, desiredState: TaskState.RUNNING });
  }
  if (action.do === 'drop' && old) tx.remove('task', tid);
  if (action.do === 'unserve' && found) tx.remove('service', sid);
}

const bytesOf = (store: Store): Buffer => Buffer.concat([...store.snapshot()]);

describe('replicas', () => {
  it('agree byte for byte', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120, size: 'max' }), (steps) => {
        const leader = new Store();
        let follower = new Store();
        const counter = { next: 1 };
        let index = 0;
        let inFlight: Proposal[] = [];
        // States that somebody still holds, with what was in them at the time.
        const held: { readonly pieces: Iterable<Uint8Array>; readonly bytes: Buffer }[] = [];
        const commit = (): void => {
          const proposal = inFlight.shift();
          if (!proposal) return;
          index++;
          const a = leader.apply(proposal.bytes, index);
          const b = follower.apply(proposal.bytes, index);
          expect(a.accepted).toBe(b.accepted);
          expect(a.changes.map((c) => c.id)).toEqual(b.changes.map((c) => c.id));
        };
        for (const action of steps) {
          if (action.do === 'commit') commit();
          else if (action.do === 'lose') inFlight.splice(action.n, 1);
          else if (action.do === 'forget') leader.dropPending();
          else if (action.do === 'restore') {
            const bytes = bytesOf(follower);
            for (const store of [leader, follower]) {
              held.push({ pieces: store.snapshot(), bytes: bytesOf(store) });
            }
            follower = new Store();
            follower.restore(bytes, index);
          } else {
            const stamp = testStamp(counter, { summary: action.do });
            const twice = { ...action, id: action.n, n: action.id };
            const { proposals } = leader.transact(stamp, (tx) => {
              write(tx, action);
              if (action.n % 2 === 0) write(tx, twice);
            });
            inFlight = inFlight.concat(proposals);
          }
        }
        while (inFlight.length > 0) commit();
        leader.dropPending();
        expect(bytesOf(leader).equals(bytesOf(follower))).toBe(true);
        for (const { pieces, bytes } of held) {
          expect(Buffer.concat([...pieces]).equals(bytes)).toBe(true);
        }
        const fresh = new Store();
        fresh.restore(bytesOf(leader), index);
        expect(bytesOf(fresh).equals(bytesOf(leader))).toBe(true);
        for (const s of leader.view.list('service')) {
          const key = [...leader.view.tasksByService(s.id)].map((t) => t.id);
          expect([...fresh.view.tasksByService(s.id)].map((t) => t.id)).toEqual(key);
          expect(fresh.view.byName('service', s.spec?.name ?? '')?.id).toBe(s.id);
        }
      }),
      { numRuns: 150 },
    );
  });

  it('the pending chain is what gets committed', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80, size: 'max' }), (steps) => {
        const store = new Store();
        const counter = { next: 1 };
        let index = 0;
        let inFlight: Proposal[] = [];
        for (const action of steps) {
          if (action.do === 'commit') {
            const proposal = inFlight.shift();
            if (proposal) expect(store.apply(proposal.bytes, ++index).accepted).toBe(true);
          } else {
            inFlight = inFlight.concat(
              store.transact(testStamp(counter), (tx) => write(tx, action)).proposals,
            );
          }
        }
        let expected: string[] = [];
        store.transact(testStamp(counter), (tx) => {
          expected = [...tx.list('task')].map((t) => `${t.id} ${t.nodeId} ${t.slot}`);
        });
        for (const proposal of inFlight) store.apply(proposal.bytes, ++index);
        expect([...store.view.list('task')].map((t) => `${t.id} ${t.nodeId} ${t.slot}`)).toEqual(
          expected,
        );
      }),
      { numRuns: 100 },
    );
  });
});

// A worker without containers for tests of the manager: opens the session of one node and says what the test wants.
import type { Client } from '@grpc/grpc-js';
import { expect } from 'vitest';
import {
  type Assignment,
  AssignmentAction,
  AssignmentsType,
  DispatcherService,
} from '#protocol/generated/dispatcher';
import { NodeDescription, type TaskState, TaskStatus } from '#protocol/generated/objects';
import { clientOf } from '#protocol/transport/grpc';

/** What a worker does, by hand: its session, what it was assigned, and what it can say. Answers once the first assignments are here. */
export async function workerByHand(channel: Client) {
  const dispatcher = clientOf(DispatcherService, channel);
  const known = new Map<string, Assignment>();
  let sequence = '';
  const opened = Promise.withResolvers<string>();
  const complete = Promise.withResolvers<void>();
  const session = (async () => {
    const description = NodeDescription.create({
      hostname: 'host1',
      platform: { architecture: 'x86_64', os: 'linux' },
    });
    for await (const message of dispatcher.session({ description, sessionId: '', protocol: 1 }))
      opened.resolve(message.sessionId);
  })();
  session.catch(opened.reject);
  const sessionId = await opened.promise;
  const listening = (async () => {
    for await (const message of dispatcher.assignments({ sessionId })) {
      if (message.type === AssignmentsType.INCREMENTAL) expect(message.appliesTo).toBe(sequence);
      sequence = message.resultsIn;
      for (const { assignment, action } of message.changes) {
        if (!assignment) continue;
        const [kind, object] = Object.entries(assignment).find(([, v]) => v !== undefined) as [
          string,
          { id?: string; serviceId?: string },
        ];
        const key = `${kind}/${object.id ?? object.serviceId}`;
        if (action === AssignmentAction.REMOVE) known.delete(key);
        else known.set(key, assignment);
      }
      complete.resolve();
    }
  })();
  const ended = Promise.all([session, listening]);
  ended.catch(complete.reject);
  await complete.promise;
  const all = () => [...known.values()];
  return {
    known,
    ended,
    tasks: async (count: number) => {
      const tasks = () => all().flatMap(({ task }) => task ?? []);
      await expect.poll(() => tasks().length, { timeout: 5000 }).toBe(count);
      return tasks();
    },
    secretData: () =>
      all().flatMap(({ secret }) => secret ?? [])[0]?.spec?.data ?? new Uint8Array(),
    serving: () =>
      all()
        .flatMap(({ endpoints }) => endpoints?.backends ?? [])
        .filter((b) => b.serving).length,
    report: (taskId: string, state: TaskState) =>
      dispatcher.updateTaskStatus({
        sessionId,
        updates: [{ taskId, status: TaskStatus.create({ state }) }],
        description: undefined,
      }),
    heartbeat: async () => (await dispatcher.heartbeat({ sessionId }, { timeoutMs: 2000 })).period,
    acknowledge: () => dispatcher.ackEndpoints({ sessionId, sequence }),
  };
}

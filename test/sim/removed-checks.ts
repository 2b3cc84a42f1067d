// A node that was removed gets nothing any more: no certificate once an administrator was told that it is gone,
// whichever manager it asks; and no session, no tasks and no thanks from a manager that knows of it. (One that
// was deposed without hearing of it may still talk, but what it says is never committed.)
import type { ReplicatedStore } from '#manager/host/replicated-store';
import type { DispatcherMethods } from '#protocol/generated/dispatcher';
import type { CallContext, Handlers } from '#protocol/transport/grpc';
import type { ClusterChecks } from './cluster-checks.ts';
import { SimFailure } from './failure.ts';
import type { World } from './world.ts';

export class RemovedChecks {
  readonly #manager: number;
  readonly #replicated: ReplicatedStore;
  readonly #checks: ClusterChecks;
  readonly #world: World;

  constructor(world: World, manager: number, replicated: ReplicatedStore, checks: ClusterChecks) {
    this.#world = world;
    this.#manager = manager;
    this.#replicated = replicated;
    this.#checks = checks;
  }

  /** A certificate that `nodeId` asks for with the one that it has. */
  async issued<T>(nodeId: string, issue: () => Promise<T>): Promise<T> {
    const wasRemoved = this.#checks.isRemoved(nodeId);
    const answer = await issue();
    this.#check(!wasRemoved, nodeId, 'a certificate');
    return answer;
  }

  /** The dispatcher, with every answer looked at. */
  around(handlers: Handlers<DispatcherMethods>): Handlers<DispatcherMethods> {
    return {
      ...handlers,
      session: (request, context) =>
        this.#stream('a session', context, handlers.session(request, context)),
      assignments: (request, context) =>
        this.#stream('tasks', context, handlers.assignments(request, context)),
      updateTaskStatus: async (request, context) => {
        const wasKnown = this.#isKnown(context);
        const answer = await handlers.updateTaskStatus(request, context);
        this.#check(wasKnown, context.peer.nodeId, 'thanks');
        return answer;
      },
    };
  }

  async *#stream<T>(
    what: string,
    context: CallContext,
    messages: AsyncIterable<T>,
  ): AsyncIterable<T> {
    for await (const message of messages) {
      this.#check(this.#isKnown(context), context.peer.nodeId, what);
      yield message;
    }
  }

  #isKnown({ peer }: CallContext): boolean {
    return this.#replicated.view.get('node', peer.nodeId) !== undefined;
  }

  #check(isRight: boolean, node: string, what: string): void {
    if (isRight) return;
    // Thrown, it would be an answer like any other.
    const values = { manager: this.#manager, node, what };
    this.#world.failure ??= new SimFailure('a removed node gets nothing', values);
  }
}

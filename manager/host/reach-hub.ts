// Connections from a gateway to another node's API, by way of the leader (protocol/proto/reach.proto).
// Nodes dial out only: each keeps one Attach stream open here, is asked on it, and answers with a
// stream of its own, which is then joined to the gateway's. Bytes are passed on piece by piece, and
// a slow reader holds up its own connection only. Nothing is kept beyond a connection's life; when
// leadership goes, all of them end.
// Refuses callers that are not administrators, and answers from a node that was not asked.
import { requireAdministrator } from '#manager/control/authorise';
import { requireMember, requireNode } from '#manager/dispatcher/nodes';
import { TswarmError } from '#protocol/errors';
import { NodeState } from '#protocol/generated/objects';
import { ReachAsk, type ReachMethods, ReachPiece, ReachService } from '#protocol/generated/reach';
import { newId } from '#protocol/ids';
import type { CallContext, Handlers } from '#protocol/transport/grpc';
import type { Random } from '#protocol/world';
import { REACH_ANSWER_MS, REACH_ATTACH_MS, REACH_OPERATIONS_MAX } from '../limits.ts';
import type { LeaderAccess } from './leader-access.ts';
import { Wakeups } from './pacing.ts';
import type { ReplicatedStore } from './replicated-store.ts';

export interface ReachDeps {
  readonly replicated: ReplicatedStore;
  readonly leader: LeaderAccess;
  readonly random: Random;
}

type Pieces = AsyncIterator<ReachPiece>;

/** A node that can be asked. */
interface Attached {
  readonly ask: (operation: string) => void;
  readonly end: () => void;
}

/** A gateway that waits for a node, or is joined to it. */
interface Operation {
  readonly nodeId: string;
  /** What the gateway sends. */
  readonly pieces: Pieces;
  readonly answered: (node: Pieces) => void;
  readonly ended: AbortSignal;
}

export class ReachHub {
  readonly #deps: ReachDeps;
  readonly #attached: Map<string, Attached> = new Map();
  readonly #operations: Map<string, Operation> = new Map();
  readonly #arrivals: Wakeups = new Wakeups();

  constructor(deps: ReachDeps) {
    this.#deps = deps;
  }

  handlers(): Handlers<ReachMethods> {
    return {
      attach: (_request, context) => this.#attach(context),
      serve: (pieces, context) => this.#serve(pieces[Symbol.asyncIterator](), context),
      open: (pieces, context) => this.#open(pieces[Symbol.asyncIterator](), context),
    };
  }

  /** This manager does not lead any more. */
  reset(): void {
    for (const { end } of this.#attached.values()) end();
    this.#attached.clear();
    this.#arrivals.wake();
  }

  async *#attach({ peer, signal }: CallContext): AsyncIterable<ReachAsk> {
    const nodeId = requireNode(peer);
    const { replicated } = this.#deps;
    requireMember(replicated.view, nodeId);
    if (!replicated.isLeading) throw replicated.notLeading();
    const asked: string[] = [];
    let isOver = false;
    let wake = (): void => {};
    const attached: Attached = {
      ask: (operation) => {
        asked.push(operation);
        wake();
      },
      end: () => {
        isOver = true;
        wake();
      },
    };
    // A node that comes again has lost its old stream, even if that is not known here yet.
    this.#attached.get(nodeId)?.end();
    this.#attached.set(nodeId, attached);
    this.#arrivals.wake();
    signal.addEventListener('abort', attached.end, { once: true });
    try {
      for (;;) {
        const operation = asked.shift();
        if (operation !== undefined) yield ReachAsk.create({ operation });
        else if (isOver) return;
        else {
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
        }
      }
    } finally {
      signal.removeEventListener('abort', attached.end);
      if (this.#attached.get(nodeId) === attached) this.#attached.delete(nodeId);
    }
  }

  async *#serve(node: Pieces, { peer }: CallContext): AsyncIterable<ReachPiece> {
    const nodeId = requireNode(peer);
    const first = await node.next();
    const id = first.done ? '' : first.value.operation;
    const operation = this.#operations.get(id);
    if (operation?.nodeId !== nodeId) {
      throw new TswarmError('not_found', 'nobody waits for this connection any more');
    }
    this.#operations.delete(id);
    operation.answered(node);
    yield* untilEnded(operation.pieces, operation.ended);
    // The end of this stream would be the end of the whole call, and the node may have more to say.
    if (!operation.ended.aborted) yield ReachPiece.create({ end: true });
    await aborted(operation.ended);
  }

  async *#open(pieces: Pieces, context: CallContext): AsyncIterable<ReachPiece> {
    requireAdministrator(this.#deps.replicated.view, context.peer);
    yield* await this.#deps.leader.run(
      context,
      ReachService,
      async () => this.#openHere(pieces, context.signal),
      // A connection lasts as long as it is used: the limit for calls does not count.
      async (client, { metadata = {} }) =>
        client.open({ [Symbol.asyncIterator]: () => pieces }, { signal: context.signal, metadata }),
    );
  }

  /** After a change of leader the nodes come one by one: one that is up is waited for a little. */
  async #untilAttached(nodeId: string, signal: AbortSignal): Promise<Attached | undefined> {
    const { replicated } = this.#deps;
    const over = AbortSignal.any([signal, AbortSignal.timeout(REACH_ATTACH_MS)]);
    for (;;) {
      const seen = this.#arrivals.count;
      const attached = this.#attached.get(nodeId);
      const isUp = replicated.view.get('node', nodeId)?.status?.state === NodeState.READY;
      if (attached || !isUp || over.aborted || !replicated.isLeading) return attached;
      await this.#arrivals.wait(over, seen);
    }
  }

  async *#openHere(pieces: Pieces, signal: AbortSignal): AsyncIterable<ReachPiece> {
    const first = await pieces.next();
    const nodeId = first.done ? '' : first.value.nodeId;
    const name = this.#deps.replicated.view.get('node', nodeId)?.description?.hostname ?? nodeId;
    const attached = await this.#untilAttached(nodeId, signal);
    if (!attached) {
      throw new TswarmError('unavailable', `node ${name} cannot be reached: it has no connection`, {
        retryable: true,
        hint: 'Look at `tswarm node ls`.',
      });
    }
    if (this.#operations.size >= REACH_OPERATIONS_MAX) {
      throw new TswarmError('resource_exhausted', 'too many connections to nodes wait for answers');
    }
    const ended = new AbortController();
    const id = newId(this.#deps.random);
    try {
      const node = await new Promise<Pieces>((answered, reject) => {
        const operation = { nodeId, pieces, answered, ended: ended.signal };
        this.#operations.set(id, operation);
        const fail = (code: 'cancelled' | 'unavailable', text: string): void =>
          reject(new TswarmError(code, text, { retryable: true }));
        const timer = setTimeout(
          () => fail('unavailable', `node ${name} does not answer`),
          REACH_ANSWER_MS,
        );
        signal.addEventListener('abort', () => fail('cancelled', 'the caller has gone'));
        ended.signal.addEventListener('abort', () => clearTimeout(timer));
        attached.ask(id);
      });
      yield ReachPiece.create({});
      yield* untilEnded(node, signal);
    } finally {
      this.#operations.delete(id);
      ended.abort();
    }
  }
}

/** What comes until its end, or until `ended`. */
async function* untilEnded(pieces: Pieces, ended: AbortSignal): AsyncIterable<ReachPiece> {
  let cut = (): void => {};
  const stop = (): void => cut();
  ended.addEventListener('abort', stop, { once: true });
  try {
    while (!ended.aborted) {
      const next = await new Promise<IteratorResult<ReachPiece>>((resolve, reject) => {
        cut = () => resolve({ done: true, value: undefined });
        pieces.next().then(resolve, reject);
      });
      if (next.done) return;
      yield next.value;
    }
  } finally {
    ended.removeEventListener('abort', stop);
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

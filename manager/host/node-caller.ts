// Calls nodes that have no session and says where the managers are. A node finds the managers by the
// addresses that it heard last; after a restore on another host, or when all of them have moved while
// it was off, none of those is right, and it would wait for ever. The leader knows where the node was
// and calls it on the port that it gives images on, with a manager's certificate; the node then comes
// by itself. What cannot be reached is called less and less often. Leader only; nothing is remembered
// beyond a leadership.
import { managerAddresses } from '#manager/dispatcher/nodes';
import type { ReadView } from '#manager/store/view';
import { messageOf } from '#protocol/errors';
import { ManagersNews, NodeDoorService } from '#protocol/generated/dispatcher';
import type { Node } from '#protocol/generated/objects';
import { clientOf, connectChannel, type TlsIdentity } from '#protocol/transport/grpc';
import type { Clock, Log } from '#protocol/world';
import {
  NODE_CALL_MS,
  NODE_CALL_PAUSE_MAX_MS,
  NODE_CALLS_AT_ONCE,
  NODE_CALLS_EVERY_MS,
} from '../limits.ts';

export interface NodeCallerDeps {
  readonly clock: Clock;
  readonly log: Log;
  view(): ReadView;
  /** Whether a node has a session with this leader. */
  isInTouch(nodeId: string): boolean;
  identity(): TlsIdentity;
}

interface Called {
  nextMs: number;
  pauseMs: number;
}

export class NodeCaller {
  readonly #deps: NodeCallerDeps;
  readonly #called: Map<string, Called> = new Map();
  #timer: NodeJS.Timeout | undefined;
  #isCalling = false;

  constructor(deps: NodeCallerDeps) {
    this.#deps = deps;
  }

  /** This manager leads now. The nodes have some seconds to come by themselves. */
  start(): void {
    this.#timer ??= setInterval(() => void this.#round(), NODE_CALLS_EVERY_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#called.clear();
  }

  async #round(): Promise<void> {
    if (this.#isCalling) return;
    this.#isCalling = true;
    try {
      await Promise.all(this.#due().map((node) => this.#call(node)));
    } finally {
      this.#isCalling = false;
    }
  }

  #due(): Node[] {
    const { view, isInTouch, clock } = this.#deps;
    const due: Node[] = [];
    for (const node of view().list('node')) {
      if (isInTouch(node.id)) {
        this.#called.delete(node.id);
        continue;
      }
      const isLater = (this.#called.get(node.id)?.nextMs ?? 0) > clock.monotonicMs();
      if (isLater || doorOf(node) === undefined) continue;
      due.push(node);
      if (due.length === NODE_CALLS_AT_ONCE) break;
    }
    return due;
  }

  async #call(node: Node): Promise<void> {
    const { view, identity, log, clock } = this.#deps;
    const address = doorOf(node) ?? '';
    const { pauseMs = NODE_CALLS_EVERY_MS } = this.#called.get(node.id) ?? {};
    this.#called.set(node.id, {
      nextMs: clock.monotonicMs() + pauseMs,
      pauseMs: Math.min(NODE_CALL_PAUSE_MAX_MS, 2 * pauseMs),
    });
    const channel = connectChannel(address, identity(), node.id);
    try {
      const news = ManagersNews.create({ managers: managerAddresses(view()) });
      await clientOf(NodeDoorService, channel).tellManagers(news, { timeoutMs: NODE_CALL_MS });
      log.info('told a node where the managers are', { node: node.id, address });
    } catch (error) {
      log.debug('a node without a session was not reached', {
        node: node.id,
        address,
        error: messageOf(error),
      });
    } finally {
      channel.close();
    }
  }
}

/** Where a node listens for others; undefined when it does not, or was never heard of. */
function doorOf({ status, description }: Node): string | undefined {
  const addr = status?.addr ?? '';
  const port = description?.imagePort ?? 0;
  if (addr === '' || port === 0) return undefined;
  return `${addr.includes(':') ? `[${addr}]` : addr}:${port}`;
}

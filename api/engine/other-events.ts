// Events of the other nodes' containers, images and volumes for a reader of cluster.sock: each node is asked for its own stream, over the connection that the leader makes. A node that comes
// later is asked when the cluster knows of it; a stream that ends is opened again where it stopped. What nodes remember is asked for on its own, for a bounded time, so that it can be put in order.
import type { EngineFilters, EngineJson } from '#protocol/engine';
import { messageOf } from '#protocol/errors';
import type { Context } from '../context.ts';
import { rawNumber } from '../http/raw-json.ts';
import { EVENT_LINE_BYTES_MAX, REACH_LIST_MS, REACH_RETRY_MS } from '../limits.ts';
import { type OtherNode, OtherNodes } from '../reach/other-nodes.ts';

export interface OtherEventsOptions {
  readonly sinceMicros: number;
  /** 0 = no end. */
  readonly untilMicros: number;
  readonly filters: EngineFilters;
}

const API = '/v1.44';

export class OtherEvents {
  readonly #context: Context;
  readonly #nodes: OtherNodes;
  readonly #options: OtherEventsOptions;
  readonly #push: (event: EngineJson) => void;
  /** Nodes that are being read. */
  readonly #open = new Set<string>();
  /** Up to when a node's events are known, microseconds. */
  readonly #known = new Map<string, number>();

  constructor(context: Context, options: OtherEventsOptions, push: (event: EngineJson) => void) {
    this.#context = context;
    this.#nodes = new OtherNodes(context);
    this.#options = options;
    this.#push = push;
  }

  /** Names of nodes that cannot be asked. */
  missing(): readonly string[] {
    return this.#nodes.down().map(({ hostname }) => hostname);
  }

  /** Everything that the nodes remember up to then; without those that take too long. */
  async past(untilMicros: number, signal: AbortSignal): Promise<void> {
    const limit = AbortSignal.any([signal, AbortSignal.timeout(REACH_LIST_MS)]);
    const { sinceMicros } = this.#options;
    const span = { sinceMicros, untilMicros };
    await Promise.all(
      this.#nodes.list().map((node) => {
        this.#known.set(node.id, untilMicros);
        return this.#copy(node, span, limit);
      }),
    );
  }

  /** Reads on until the signal. */
  follow(signal: AbortSignal): void {
    const timers = new Set<NodeJS.Timeout>();
    const connect = (): void => {
      if (signal.aborted) return;
      for (const node of this.#nodes.list()) {
        if (this.#open.has(node.id)) continue;
        this.#open.add(node.id);
        void this.#copy(node, this.#next(node), signal).finally(() => {
          this.#open.delete(node.id);
          const timer = setTimeout(() => {
            timers.delete(timer);
            connect();
          }, REACH_RETRY_MS);
          timers.add(timer);
        });
      }
    };
    const unsubscribe = this.#context.clusterEvents.subscribe(({ json }) => {
      if (json.Type === 'node') connect();
    });
    signal.addEventListener(
      'abort',
      () => {
        unsubscribe();
        for (const timer of timers) clearTimeout(timer);
      },
      { once: true },
    );
    connect();
  }

  /** From where a node is read on: from now where nothing of it is known. */
  #next(node: OtherNode): { readonly sinceMicros: number; readonly untilMicros: number } {
    const known = this.#known.get(node.id);
    const { untilMicros } = this.#options;
    return { sinceMicros: known === undefined ? 0 : known + 1, untilMicros };
  }

  /** Passes on what a node says; one that cannot be reached says nothing. */
  async #copy(
    node: OtherNode,
    span: { readonly sinceMicros: number; readonly untilMicros: number },
    signal: AbortSignal,
  ): Promise<void> {
    const query = new URLSearchParams({
      filters: JSON.stringify({ ...this.#options.filters, scope: ['local'] }),
    });
    if (span.sinceMicros > 0) query.set('since', secondsOf(span.sinceMicros));
    if (span.untilMicros > 0) query.set('until', secondsOf(span.untilMicros));
    try {
      const call = { method: 'GET', target: `${API}/events?${query}`, signal };
      const { message } = await this.#nodes.call(node, call);
      for await (const line of linesOf(message)) this.#take(node, line);
    } catch (error) {
      if (signal.aborted) return;
      this.#context.log.debug('events of a node', {
        node: node.hostname,
        reason: messageOf(error),
      });
    }
  }

  #take(node: OtherNode, line: string): void {
    // Their last digits are more than a number holds.
    const nano = /"timeNano":(\d+)/.exec(line)?.[1];
    const event = JSON.parse(line) as EngineJson;
    if (nano === undefined) return;
    const micros = Number(BigInt(nano) / 1000n);
    this.#known.set(node.id, Math.max(micros, this.#known.get(node.id) ?? 0));
    this.#push({ ...event, timeNano: rawNumber(BigInt(nano)) });
  }
}

function secondsOf(micros: number): string {
  return `${Math.floor(micros / 1e6)}.${String(micros % 1e6).padStart(6, '0')}`;
}

async function* linesOf(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of chunks) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
    rest = lines.pop() ?? '';
    if (rest.length > EVENT_LINE_BYTES_MAX) throw new RangeError('an event without an end');
    yield* lines.filter((line) => line !== '');
  }
}

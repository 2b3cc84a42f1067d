// The stream of changes, and who wants to know. Drawing happens at most once per frame, however many changes came in between. The browser connects
// again by itself and says where it was, so nothing is missed; until then the page shows what it last knew, and says so.
import type { ChangeBatch, Snapshot } from '#api/cluster/feed-types';
import { ClusterState } from './state.ts';

export type Connection = 'connecting' | 'live' | 'lost';

export class Live {
  readonly state: ClusterState = new ClusterState();
  connection: Connection = 'connecting';
  /** Time of the last message, for "as of". */
  heardMs = 0;
  readonly #listeners = new Set<() => void>();
  readonly #onRefused: () => void;
  #isDue = false;

  /** `onRefused`: the session has ended. */
  constructor(onRefused: () => void) {
    this.#onRefused = onRefused;
  }

  start(): void {
    const source = new EventSource('/api/tswarm/v1/events');
    source.addEventListener('snapshot', (event: MessageEvent<string>) => {
      this.state.reset(JSON.parse(event.data) as Snapshot);
      this.#heard();
    });
    source.addEventListener('change', (event: MessageEvent<string>) => {
      this.state.apply(Number(event.lastEventId), JSON.parse(event.data) as ChangeBatch);
      this.#heard();
    });
    source.onopen = () => this.#connected('live');
    source.onerror = () => {
      this.#connected('lost');
      // Closed for good: an answer that was no stream. Why decides who is asked.
      if (source.readyState === EventSource.CLOSED) void this.#askWhy();
    };
  }

  /** Called once per frame in which something changed. @returns ends it. */
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async #askWhy(): Promise<void> {
    const answer = await fetch('/session').catch(() => undefined);
    if (answer?.status === 401) this.#onRefused();
    else setTimeout(() => this.start(), 2_000);
  }

  #heard(): void {
    this.heardMs = Date.now();
    this.#connected('live');
  }

  #connected(connection: Connection): void {
    this.connection = connection;
    if (this.#isDue) return;
    this.#isDue = true;
    const draw = (): void => {
      this.#isDue = false;
      for (const listener of this.#listeners) listener();
    };
    // A page in the background gets no frames, and needs none until it is looked at.
    requestAnimationFrame(draw);
  }
}

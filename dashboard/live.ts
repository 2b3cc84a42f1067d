// The stream of changes, and who wants to know. Drawing happens at most once per frame, however many changes came in between, and only of what waits for one of
// their topics. The browser connects again by itself and says where it was, so nothing is missed; until then the page shows what it last knew, and says so.
import type { ChangeBatch, Snapshot } from '#api/cluster/feed-types';
import { type Finding, Findings } from './findings.ts';
import { ClusterState, type Topic } from './state.ts';

export type Connection = 'connecting' | 'live' | 'lost';

/** What a component may wait for; `connection` changes without a change of the cluster. */
export type Interest = Topic | 'connection';

/** The server says something every 5 seconds. */
const SILENCE_MS = 12_000;
const LOOK_MS = 1_000;

export class Live {
  readonly state: ClusterState = new ClusterState();
  connection: Connection = 'connecting';
  /** Time of the last message, for "as of". */
  heardMs = 0;
  findings: readonly Finding[] = [];
  readonly #findings = new Findings();
  readonly #listeners = new Map<Interest, Set<() => void>>();
  readonly #onRefused: () => void;
  #isDue = false;
  #isConnectionNew = false;

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
    source.addEventListener('alive', () => this.#heard());
    source.onopen = () => this.#heard();
    // A host that went away without a word closes nothing.
    const watchdog = setInterval(() => {
      if (Date.now() - this.heardMs < SILENCE_MS || this.connection !== 'live') return;
      clearInterval(watchdog);
      source.close();
      this.#connected('lost');
      this.start();
    }, LOOK_MS);
    source.onerror = () => {
      this.#connected('lost');
      // Closed for good: an answer that was no stream. Why decides who is asked.
      if (source.readyState !== EventSource.CLOSED) return;
      clearInterval(watchdog);
      void this.#askWhy();
    };
  }

  /** Called once per frame in which something of interest changed. @returns ends it. */
  subscribe(interests: readonly Interest[], listener: () => void): () => void {
    for (const interest of interests) {
      const listeners = this.#listeners.get(interest) ?? new Set();
      listeners.add(listener);
      this.#listeners.set(interest, listeners);
    }
    return () => {
      for (const interest of interests) {
        const listeners = this.#listeners.get(interest);
        listeners?.delete(listener);
        if (listeners?.size === 0) this.#listeners.delete(interest);
      }
    };
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
    if (this.connection !== connection) this.#isConnectionNew = true;
    this.connection = connection;
    if (this.#isDue) return;
    this.#isDue = true;
    // A page in the background gets no frames, and needs none until it is looked at.
    requestAnimationFrame(() => this.#draw());
  }

  #draw(): void {
    this.#isDue = false;
    const touched: ReadonlySet<Topic> = this.state.takeTouched();
    this.findings = this.#findings.update(this.state, touched);
    const due = new Set<() => void>();
    for (const topic of touched)
      for (const listener of this.#listeners.get(topic) ?? []) due.add(listener);
    if (this.#isConnectionNew) {
      this.#isConnectionNew = false;
      for (const listener of this.#listeners.get('connection') ?? []) due.add(listener);
    }
    for (const listener of due) listener();
  }
}

// Events of this node in the Engine API's form: a bounded memory of the last ones for `since`, and live listeners. In memory only: Docker's do not survive
// a restart either. A listener that lags too far behind is ended rather than grow without limit.
import type { EngineFilters, EngineJson } from '#protocol/engine';
import type { CancelSignal, Clock } from '#protocol/world';
import type { EngineEvent, EventSink } from './images/types.ts';
import { EVENTS_KEPT_MAX, EVENTS_LISTENER_BACKLOG_MAX } from './limits.ts';

interface StoredEvent {
  readonly micros: number;
  readonly json: EngineJson;
  readonly event: EngineEvent;
}

interface Listener {
  readonly queue: StoredEvent[];
  wake: (() => void) | undefined;
  ended: boolean;
}

export interface EventQuery {
  readonly sinceMicros: number;
  readonly untilMicros: number;
  readonly filters: EngineFilters;
}

export class EventLog implements EventSink {
  readonly #clock: Clock;
  readonly #kept: StoredEvent[] = [];
  readonly #listeners = new Set<Listener>();
  #lastMicros = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Listeners now. */
  get listenerCount(): number {
    return this.#listeners.size;
  }

  emit(event: EngineEvent): void {
    // Two events of one millisecond keep their order in timeNano.
    const micros = Math.max(Math.floor(this.#clock.nowMs() * 1000), this.#lastMicros + 1);
    this.#lastMicros = micros;
    const stored: StoredEvent = { micros, event, json: eventJson(event, micros) };
    this.#kept.push(stored);
    if (this.#kept.length > EVENTS_KEPT_MAX) this.#kept.shift();
    for (const listener of this.#listeners) {
      if (listener.queue.length >= EVENTS_LISTENER_BACKLOG_MAX) listener.ended = true;
      else listener.queue.push(stored);
      listener.wake?.();
    }
  }

  /**
   * Past events from `sinceMicros` (0 = none, or with an end all that are known), then live ones until `untilMicros` (0 = for ever) or the signal.
   */
  async *events(query: EventQuery, signal: CancelSignal): AsyncGenerator<EngineJson> {
    const listener: Listener = { queue: [], wake: undefined, ended: false };
    const { sinceMicros, untilMicros } = query;
    const isPastWanted = sinceMicros > 0 || untilMicros > 0;
    const past = isPastWanted ? this.#kept.filter((item) => item.micros >= sinceMicros) : [];
    this.#listeners.add(listener);
    const stop = (): void => {
      listener.ended = true;
      listener.wake?.();
    };
    signal.addEventListener('abort', stop, { once: true });
    const timer = this.#endAt(query.untilMicros, stop);
    try {
      const wanted = (item: StoredEvent): boolean =>
        (query.untilMicros === 0 || item.micros <= query.untilMicros) &&
        matchesEvent(item.event, query.filters);
      for (const item of past) if (wanted(item)) yield item.json;
      for (;;) {
        const item = listener.queue.shift();
        if (item) {
          if (wanted(item)) yield item.json;
        } else if (listener.ended || signal.aborted) {
          return;
        } else {
          await new Promise<void>((resolve) => {
            listener.wake = resolve;
          });
        }
      }
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', stop);
      this.#listeners.delete(listener);
    }
  }

  #endAt(untilMicros: number, stop: () => void): NodeJS.Timeout | undefined {
    if (untilMicros === 0) return undefined;
    const ms = untilMicros / 1000 - this.#clock.nowMs();
    if (ms <= 0) {
      stop();
      return undefined;
    }
    return setTimeout(stop, Math.min(ms, 0x7fffffff));
  }
}

function eventJson(event: EngineEvent, micros: number): EngineJson {
  const image = event.attributes.image;
  const legacy =
    event.type === 'container' || event.type === 'image'
      ? { status: event.action, id: event.actorId, ...(image ? { from: image } : {}) }
      : {};
  return {
    ...legacy,
    Type: event.type,
    Action: event.action,
    Actor: { ID: event.actorId, Attributes: event.attributes },
    scope: 'local',
    time: Math.floor(micros / 1e6),
    // Beyond 2^53: written digit for digit by JSON.stringify.
    timeNano: (JSON as unknown as { rawJSON(text: string): unknown }).rawJSON(`${micros}000`),
  };
}

/** Docker's event filters: several values of one name are alternatives, several names must all hold. */
export function matchesEvent(event: EngineEvent, filters: EngineFilters): boolean {
  return Object.entries(filters).every(([name, values]) => {
    if (values.length === 0) return true;
    switch (name) {
      case 'type':
        return values.includes(event.type);
      case 'event':
        return values.some(
          (value) => event.action === value || event.action.startsWith(`${value}:`),
        );
      case 'label':
        return values.every((value) => matchesLabel(event.attributes, value));
      case 'container':
      case 'image':
      case 'volume':
      case 'network':
      case 'daemon':
        return event.type === name && values.some((value) => isActor(event, value));
      case 'scope':
        return values.includes('local');
      default:
        return true;
    }
  });
}

function isActor(event: EngineEvent, value: string): boolean {
  const plain = value.replace(/^\//, '');
  return (
    event.actorId === plain ||
    event.attributes.name === plain ||
    (plain.length > 0 && event.actorId.startsWith(plain))
  );
}

function matchesLabel(attributes: Readonly<Record<string, string>>, value: string): boolean {
  const cut = value.indexOf('=');
  if (cut < 0) return value in attributes;
  return attributes[value.slice(0, cut)] === value.slice(cut + 1);
}

// Counts and durations of the API's requests by route, kept as they end, so that a scrape costs the number of routes and not of requests. A route is the
// pattern that was matched: what is in a path is somebody's choice and would make labels without end. Streams and taken-over connections last as
// long as clients want, and are counted only.
import type { Family, Sample } from './exposition.ts';

/** Upper bounds, in seconds. */
const BUCKETS: readonly number[] = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10];
const NO_ROUTE = 'none';

interface Durations {
  /** Per bucket, not added up. */
  readonly counts: number[];
  sum: number;
  count: number;
}

export class RequestMetrics {
  /** route → status → count */
  readonly #counts: Map<string, Map<number, number>> = new Map();
  readonly #durations: Map<string, Durations> = new Map();

  /** `route`: `METHOD pattern`; '' = none fitted. */
  note(
    route: string,
    answer: { readonly status: number; readonly isLong: boolean },
    durationMs: number,
  ): void {
    const key = route === '' ? NO_ROUTE : route;
    const counts = this.#counts.get(key) ?? new Map<number, number>();
    counts.set(answer.status, (counts.get(answer.status) ?? 0) + 1);
    this.#counts.set(key, counts);
    if (!answer.isLong) this.#observe(key, durationMs / 1000);
  }

  #observe(key: string, seconds: number): void {
    const known = this.#durations.get(key);
    const durations = known ?? { counts: BUCKETS.map(() => 0), sum: 0, count: 0 };
    if (!known) this.#durations.set(key, durations);
    const place = BUCKETS.findIndex((bound) => seconds <= bound);
    if (place >= 0) durations.counts[place] = (durations.counts[place] ?? 0) + 1;
    durations.sum += seconds;
    durations.count++;
  }

  families(): readonly Family[] {
    const requests: Sample[] = [];
    for (const [key, counts] of this.#counts) {
      for (const [status, value] of counts) {
        requests.push({ labels: { ...labelsOf(key), status: String(status) }, value });
      }
    }
    return [
      {
        name: 'tswarm_api_requests_total',
        type: 'counter',
        help: 'Requests to the HTTP API that have ended, by route and status.',
        samples: requests,
      },
      {
        name: 'tswarm_api_request_duration_seconds',
        type: 'histogram',
        help: 'Time to the whole answer; streams are left out.',
        samples: [...this.#durations].flatMap(([key, durations]) =>
          histogram(labelsOf(key), durations),
        ),
      },
    ];
  }
}

function labelsOf(key: string): Readonly<Record<string, string>> {
  const [method = '', route = NO_ROUTE] = key.split(' ');
  return key === NO_ROUTE ? { method: '', route: NO_ROUTE } : { method, route };
}

function histogram(labels: Readonly<Record<string, string>>, durations: Durations): Sample[] {
  let below = 0;
  const buckets = BUCKETS.map((bound, place): Sample => {
    below += durations.counts[place] ?? 0;
    return { suffix: '_bucket', labels: { ...labels, le: String(bound) }, value: below };
  });
  return [
    ...buckets,
    { suffix: '_bucket', labels: { ...labels, le: '+Inf' }, value: durations.count },
    { suffix: '_sum', labels, value: durations.sum },
    { suffix: '_count', labels, value: durations.count },
  ];
}

// What every command of tswarm gets: the client for the chosen daemon.
import { type EndpointFlags, resolveEndpoint } from '../client/endpoint.ts';
import { ApiClient } from '../client/http.ts';

export type GlobalOptions = EndpointFlags;

export function clientFor(options: GlobalOptions): ApiClient {
  return new ApiClient(resolveEndpoint(options, process.env));
}

/** The flags that every `ls` has; see `formatList`. */
export interface ListFlags {
  /** `key=value` */
  readonly filter?: readonly string[];
  readonly format?: string;
  readonly quiet?: boolean;
  readonly json?: boolean;
}

/** `--filter key=value` options as the API's filters parameter. */
export function filtersQuery(filters: readonly string[] | undefined): string | undefined {
  if (!filters || filters.length === 0) return undefined;
  const out: Record<string, string[]> = {};
  for (const filter of filters) {
    const at = filter.indexOf('=');
    const key = at < 0 ? filter : filter.slice(0, at);
    out[key] = [...(out[key] ?? []), at < 0 ? '' : filter.slice(at + 1)];
  }
  return JSON.stringify(out);
}

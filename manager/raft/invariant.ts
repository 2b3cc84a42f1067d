// Assertions of the pure core. A broken invariant means that going on could lose or fork committed
// data, so the process must die (the host exits with code 70); it is never caught and retried.

/** Thrown when the core finds itself in a state that correct code cannot reach. */
export class RaftInvariantError extends Error {
  readonly values: Readonly<Record<string, unknown>>;

  constructor(message: string, values: Readonly<Record<string, unknown>>) {
    super(`raft invariant broken: ${message} ${JSON.stringify(values)}`);
    this.name = 'RaftInvariantError';
    this.values = values;
  }
}

/** Throws RaftInvariantError unless `condition` holds. `values` go into the message. */
export function invariant(
  condition: boolean,
  message: string,
  values: Readonly<Record<string, unknown>> = {},
): asserts condition {
  if (!condition) throw new RaftInvariantError(message, values);
}

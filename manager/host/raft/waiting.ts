// A promise whose owner settles it later, when the Raft thread has answered.
import type { TswarmError } from '#protocol/errors';

export interface Waiting<T> {
  readonly resolve: (value: T) => void;
  readonly reject: (error: TswarmError) => void;
}

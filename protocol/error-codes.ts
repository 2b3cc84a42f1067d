// One table: error code → HTTP status of the Engine API and of ours, gRPC status (numbers of grpc's status codes), process exit code.

export type ErrorCode =
  | 'invalid_argument'
  | 'not_found'
  | 'already_exists'
  | 'failed_precondition'
  | 'out_of_sequence'
  | 'conflict'
  | 'not_modified'
  | 'permission_denied'
  | 'unauthenticated'
  | 'unavailable'
  | 'no_leader'
  | 'deadline_exceeded'
  | 'cancelled'
  | 'resource_exhausted'
  | 'too_large'
  | 'no_space'
  | 'not_supported'
  | 'not_implemented_change'
  | 'data_loss'
  | 'locked'
  | 'internal'
  | 'digest_mismatch'
  | 'command_not_found'
  | 'command_not_executable'
  | 'no_cluster';

interface CodeRow {
  readonly http: number;
  readonly grpc: number;
}

export const ERROR_CODES: Readonly<Record<ErrorCode, CodeRow>> = {
  invalid_argument: { http: 400, grpc: 3 },
  not_found: { http: 404, grpc: 5 },
  already_exists: { http: 409, grpc: 6 },
  failed_precondition: { http: 400, grpc: 9 },
  out_of_sequence: { http: 500, grpc: 10 },
  conflict: { http: 409, grpc: 10 },
  not_modified: { http: 304, grpc: 9 },
  permission_denied: { http: 403, grpc: 7 },
  unauthenticated: { http: 401, grpc: 16 },
  unavailable: { http: 503, grpc: 14 },
  no_leader: { http: 503, grpc: 14 },
  deadline_exceeded: { http: 504, grpc: 4 },
  cancelled: { http: 499, grpc: 1 },
  resource_exhausted: { http: 429, grpc: 8 },
  too_large: { http: 413, grpc: 8 },
  no_space: { http: 507, grpc: 8 },
  not_supported: { http: 501, grpc: 12 },
  not_implemented_change: { http: 501, grpc: 12 },
  data_loss: { http: 500, grpc: 15 },
  locked: { http: 503, grpc: 9 },
  internal: { http: 500, grpc: 13 },
  digest_mismatch: { http: 500, grpc: 15 },
  command_not_found: { http: 400, grpc: 3 },
  command_not_executable: { http: 400, grpc: 3 },
  no_cluster: { http: 503, grpc: 9 },
};

/** The code for a text from the wire; unknown ones are `internal`. */
export function errorCodeFromText(text: string): ErrorCode {
  return Object.hasOwn(ERROR_CODES, text) ? (text as ErrorCode) : 'internal';
}

// What is said of one call of /tswarm/v1, and the words to say it in: operations.ts and operations-objects.ts are written with them. Data only; what a
// definition means is in openapi/bind.ts, openapi/document.ts and access/rules.ts.
import type { Role } from '#protocol/access';

/** flag: true or false; count: a whole number from 0; texts: may be repeated. */
export type ParameterKind = 'flag' | 'count' | 'text' | 'texts';

export interface Parameter {
  readonly kind: ParameterKind;
  readonly help: string;
}

export interface Answer {
  readonly status: number;
  /** Of a JSON answer, or of each line of a stream of them; `X[]` is a list. */
  readonly schema?: string;
  /** Of a stream or a file; JSON when absent. */
  readonly type?: string;
}

export interface Operation {
  /** Unique, for names in generated clients. */
  readonly id: string;
  readonly method: 'GET' | 'POST' | 'DELETE';
  readonly path: string;
  readonly role: Role;
  /** Also for who has no credential. */
  readonly isOpen?: boolean;
  readonly summary: string;
  readonly query?: Readonly<Record<string, Parameter>>;
  /** Schema of the JSON body. */
  readonly body?: string;
  readonly isBodyOptional?: boolean;
  /** Content type of a body that is a file. */
  readonly upload?: string;
  readonly answer: Answer;
  /** The answer is, or has in it, a list that may be asked for in pages. */
  readonly pages?: Pages;
}

/** What is cut into pages, and how its rows are told apart and ordered. */
export interface Pages {
  /** The member that is the list; absent: the whole answer is. */
  readonly of?: string;
  /** Members that make a row's key together, with / between them. */
  readonly by: readonly string[];
}

export const flag = (help: string): Parameter => ({ kind: 'flag', help });
export const count = (help: string): Parameter => ({ kind: 'count', help });
export const text = (help: string): Parameter => ({ kind: 'text', help });
export const texts = (help: string): Parameter => ({ kind: 'texts', help });

export const json = (schema: string, status = 200): Answer => ({ status, schema });
export const stream = (type: string, schema?: string): Answer => ({
  status: 200,
  type,
  ...(schema ? { schema } : {}),
});
export const EMPTY: Answer = { status: 204 };
export const LINES = 'application/x-ndjson';

type Head = Pick<Operation, 'id' | 'role' | 'summary' | 'answer'> & Partial<Operation>;

type At = (path: string, rest: Head) => Operation;

const at =
  (method: Operation['method']): At =>
  (path, rest) => ({ method, path: `/tswarm/v1${path}`, ...rest });
export const get: At = at('GET');
export const post: At = at('POST');
export const remove: At = at('DELETE');

export const FILTERS: Parameter = text(
  'JSON object of lists, as the Engine API takes it: {"label":["a=b"]}',
);
export const STACK: Parameter = text('only objects of this stack');

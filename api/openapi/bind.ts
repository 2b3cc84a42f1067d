// Joins the definitions of the calls of /tswarm/v1 with their handlers: what a definition does not allow is refused before the handler sees it (parameters
// that are unknown or of the wrong kind, bodies that do not fit), and JSON answers get an ETag and, where a list is paged, its page. A handler without a
// definition, or a definition without a handler, is a bug that ends the start.
import { createHash } from 'node:crypto';
import { TswarmError } from '#protocol/errors';
import type { Pages } from '../cluster/operation.ts';
import { OPERATIONS, type Operation, type Parameter } from '../cluster/operations.ts';
import type { Handler, Route } from '../context.ts';
import type { Reply } from '../http/reply.ts';
import type { ApiRequest, Query } from '../http/request.ts';
import { componentSchemas, namedSchema, openApiDocument, parametersOf } from './document.ts';
import { faultOf } from './validate.ts';

const PREFIX = '/tswarm/';
const ETAG_CHARS = 22;
export const NEXT_HEADER = 'X-Tswarm-Next';

/** The routes, those of /tswarm/v1 with what their definitions say. */
export function boundRoutes(routes: readonly Route[], version: string): readonly Route[] {
  const all = [...routes, openApiRoute(version)];
  const byKey = new Map(OPERATIONS.map((one) => [`${one.method} ${one.path}`, one]));
  const bound = all.map((route) => {
    if (!route.pattern.startsWith(PREFIX)) return route;
    const key = `${route.method} ${route.pattern}`;
    const operation = byKey.get(key);
    if (!operation) throw new Error(`bug: ${key} has no definition in api/cluster/operations.ts`);
    byKey.delete(key);
    return { ...route, handler: bind(operation, route.handler) };
  });
  const [orphan] = byKey.keys();
  if (orphan !== undefined) throw new Error(`bug: ${orphan} is defined and has no handler`);
  return bound;
}

function openApiRoute(version: string): Route {
  let document: ReturnType<typeof openApiDocument> | undefined;
  return {
    method: 'GET',
    pattern: '/tswarm/v1/openapi.json',
    handler: async (_request, reply) => {
      document ??= openApiDocument(version);
      reply.json(200, document);
    },
  };
}

function bind(operation: Operation, handler: Handler): Handler {
  const parameters = parametersOf(operation);
  return async (request, reply) => {
    checkQuery(request.query, parameters);
    const checked = operation.body ? withCheckedBody(request, operation.body) : request;
    const isRead = operation.method === 'GET' && operation.answer.type === undefined;
    await handler(checked, isRead ? tagged(request, reply, operation) : reply);
  };
}

function checkQuery(query: Query, parameters: Readonly<Record<string, Parameter>>): void {
  for (const name of query.names()) {
    const parameter = Object.hasOwn(parameters, name) ? parameters[name] : undefined;
    if (!parameter) {
      const known = Object.keys(parameters).join(', ');
      throw new TswarmError(
        'invalid_argument',
        `${name.slice(0, 60)}: there is no such parameter`,
        {
          field: name.slice(0, 60),
          hint: known === '' ? 'This call takes none.' : `Known are ${known}.`,
        },
      );
    }
    const wrong = query.all(name).find((value) => !fits(parameter, value));
    if (wrong === undefined) continue;
    const wanted = parameter.kind === 'flag' ? 'true or false' : 'a whole number from 0';
    throw new TswarmError('invalid_argument', `${name}: must be ${wanted}`, { field: name });
  }
}

function fits({ kind }: Parameter, value: string): boolean {
  if (kind === 'flag') return ['', '0', '1', 'true', 'false'].includes(value);
  return kind === 'count' ? /^(\d{1,15})?$/.test(value) : true;
}

/** Bodies in the Engine API's form are checked when they are read: by their field tables, whatever the case of their names. */
function withCheckedBody(request: ApiRequest, name: string): ApiRequest {
  if (name.startsWith('engine:')) return request;
  const schema = namedSchema(name);
  const check = <T extends Readonly<Record<string, unknown>> | undefined>(body: T): T => {
    const components = componentSchemas();
    const fault = body && faultOf(schema, body, { components, isStrict: true });
    if (!fault) return body;
    const { path, problem } = fault;
    throw new TswarmError('invalid_argument', `${path || 'body'}: ${problem}`, { field: path });
  };
  return {
    ...request,
    json: async (bytesMax) => check(await request.json(bytesMax)),
    optionalJson: async (bytesMax) => check(await request.optionalJson(bytesMax)),
  };
}

/** A client that has an answer already and names its tag is told that it is still the same. */
function tagged(request: ApiRequest, reply: Reply, { pages }: Operation): Reply {
  return {
    get started() {
      return reply.started;
    },
    get status() {
      return reply.status;
    },
    get isLong() {
      return reply.isLong;
    },
    header: (name, value) => reply.header(name, value),
    text: (status, text, type) => reply.text(status, text, type),
    empty: (status) => reply.empty(status),
    stream: (status, type) => reply.stream(status, type),
    hijack: (type) => reply.hijack(type),
    upgrade: (protocol, headers) => reply.upgrade(protocol, headers),
    json: (status, value) => {
      const shown = pages ? inPages(value, pages, request.query, reply) : value;
      const digest = createHash('sha256').update(JSON.stringify(shown)).digest('base64url');
      const tag = `"${digest.slice(0, ETAG_CHARS)}"`;
      reply.header('ETag', tag);
      const known = String(request.headers['if-none-match'] ?? '');
      if (known.split(',').some((one) => one.trim() === tag)) reply.empty(304);
      else reply.json(status, shown);
    },
  };
}

/** The same answer with one page of its list. */
function inPages(value: unknown, pages: Pages, query: Query, reply: Reply): unknown {
  if (pages.of === undefined) return pageOf(value as Rows, pages.by, query, reply);
  const answer = value as Readonly<Record<string, unknown>>;
  return { ...answer, [pages.of]: pageOf(answer[pages.of] as Rows, pages.by, query, reply) };
}

type Rows = readonly Readonly<Record<string, unknown>>[];

/** Ordered by the rows' keys, so that what is created or removed meanwhile moves nothing. */
function pageOf(list: Rows, by: readonly string[], query: Query, reply: Reply): Rows {
  const limit = query.int('limit', 0, 400);
  const after = query.text('after');
  if (limit === 0 && after === '') return list;
  const keyed = list
    .map((row) => ({ row, key: by.map((name) => String(row[name] ?? '')).join('/') }))
    .filter(({ key }) => key > after)
    .sort((a, b) => (a.key < b.key ? -1 : 1));
  const page = limit === 0 ? keyed : keyed.slice(0, limit);
  const last = page.at(-1);
  if (page.length < keyed.length && last) reply.header(NEXT_HEADER, last.key);
  return page.map(({ row }) => row);
}

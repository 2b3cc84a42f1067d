// What cluster.sock does for containers of other nodes: a request that names one goes to that node as it is and its answer comes back as it is, taken-over
// connections included; the list is of all nodes. Everything else is left to the ordinary handlers.
import type { Duplex } from 'node:stream';
import type { EngineJson } from '#protocol/engine';
import type { ByteStream } from '#protocol/world';
import type { Context } from '../context.ts';
import { HIJACK_PATHS } from '../engine/container-streams.ts';
import { parseFilters } from '../http/filters.ts';
import type { Reply } from '../http/reply.ts';
import { type ApiRequest, collect } from '../http/request.ts';
import { REACH_EXECS_MAX, REACH_UPGRADE_BODY_BYTES_MAX } from '../limits.ts';
import { nameMissingNodes } from './missing-nodes.ts';
import type { NodeAnswer } from './node-http.ts';
import { type OtherNode, OtherNodes } from './other-nodes.ts';

/** One container, or one exec. Lists, create and prune have other second segments. */
const CONTAINER_PATH = /^\/containers\/([^/]+)(\/.*)?$/;
const EXEC_PATH = /^\/exec\/([^/]+)\/[a-z]+$/;
const NO_CONTAINER = new Set(['json', 'create', 'prune']);

/** Of a request what the other node's API looks at; of an answer what clients look at. */
const REQUEST_HEADERS = ['content-type', 'x-registry-auth'];
const ANSWER_HEADERS = ['x-docker-container-path-stat'];

export class Reach {
  readonly #context: Context;
  readonly #nodes: OtherNodes;
  /** Exec id → its node. */
  readonly #execs: Map<string, OtherNode> = new Map();

  constructor(context: Context) {
    this.#context = context;
    this.#nodes = new OtherNodes(context);
  }

  /** Answers the request when it is about other nodes. @returns undefined then; else what the ordinary handler is to do */
  async take(request: ApiRequest, query: string, reply: Reply): Promise<ApiRequest | undefined> {
    const { path, method } = request;
    if (path === '/containers/json' && method === 'GET') {
      return (await this.#list(request, query, reply)) ? undefined : request;
    }
    const exec = EXEC_PATH.exec(path)?.[1];
    if (exec !== undefined) {
      const node = this.#execs.get(exec);
      if (!node) return request;
      await this.#forward(node, request, targetOf(request, path, query), reply);
      return undefined;
    }
    const [, encoded = '', rest = ''] = CONTAINER_PATH.exec(path) ?? [];
    if (encoded === '' || (rest === '' && NO_CONTAINER.has(encoded))) return request;
    const place = await this.#nodes.find(decodeURIComponent(encoded), request.signal);
    // `name@node` may have named this node.
    if (!place.node) return { ...request, params: { ...request.params, id: place.name } };
    const there = `/containers/${encodeURIComponent(place.name)}${rest}`;
    const target = targetOf(request, there, query);
    if (rest === '/exec') await this.#createExec(place.node, request, target, reply);
    else await this.#forward(place.node, request, target, reply);
    return undefined;
  }

  /** @returns false when there are no other nodes */
  async #list(request: ApiRequest, query: string, reply: Reply): Promise<boolean> {
    if (this.#nodes.list().length === 0) return false;
    const filters = parseFilters(request.query.raw('filters'));
    const limit = request.query.int('limit', 0);
    const all = request.query.bool('all');
    const size = request.query.bool('size');
    const target = targetOf(request, '/containers/json', query);
    const [own, others] = await Promise.all([
      this.#context.engine.containers.list({ all, limit, size, filters }),
      this.#nodes.gather<EngineJson[]>({ method: 'GET', target }, request.signal),
    ]);
    const { nodeId } = this.#context.node.state();
    const self = this.#context.node.session()?.cache.get('node', nodeId);
    const here = { id: nodeId, hostname: self?.description?.hostname || nodeId };
    const merged = own.map((container) => withNode(container, here));
    for (const { node, answer } of others.answers) {
      merged.push(...answer.map((container) => withNode(container, node)));
    }
    merged.sort((a, b) => Number(b.Created) - Number(a.Created));
    nameMissingNodes(
      reply,
      others.missing.map(({ node }) => node.hostname),
    );
    reply.json(200, limit > 0 ? merged.slice(0, limit) : merged);
    return true;
  }

  /** Remembers where the program is: later calls name only the exec. */
  async #createExec(
    node: OtherNode,
    request: ApiRequest,
    target: string,
    reply: Reply,
  ): Promise<void> {
    const { message } = await this.#call(node, request, target);
    const chunks: Uint8Array[] = [];
    for await (const chunk of message) chunks.push(chunk as Uint8Array);
    const text = Buffer.concat(chunks).toString();
    const status = message.statusCode ?? 500;
    if (status === 201) this.#remember((JSON.parse(text) as { Id: string }).Id, node);
    reply.text(status, text, message.headers['content-type'] ?? 'application/json');
  }

  #remember(exec: string, node: OtherNode): void {
    this.#execs.set(exec, node);
    if (this.#execs.size <= REACH_EXECS_MAX) return;
    const [oldest] = this.#execs.keys();
    if (oldest !== undefined) this.#execs.delete(oldest);
  }

  async #forward(
    node: OtherNode,
    request: ApiRequest,
    target: string,
    reply: Reply,
  ): Promise<void> {
    const answer = await this.#call(node, request, target);
    const { message, taken } = answer;
    const type = message.headers['content-type'] ?? '';
    if (taken) {
      await joined(reply.hijack(type), taken.connection, taken.head);
      return;
    }
    for (const name of ANSWER_HEADERS) {
      const value = message.headers[name];
      if (typeof value === 'string') reply.header(name, value);
    }
    const status = message.statusCode ?? 500;
    if (request.method === 'HEAD' || status === 204 || status === 304) {
      message.resume();
      reply.empty(status);
      return;
    }
    const stream = reply.stream(status, type);
    try {
      for await (const chunk of message) await stream.write(chunk as Uint8Array);
      stream.end();
    } finally {
      message.destroy();
    }
  }

  async #call(node: OtherNode, request: ApiRequest, target: string): Promise<NodeAnswer> {
    const { method, headers, signal } = request;
    const upgrade = method === 'POST' && HIJACK_PATHS.some((each) => each.test(request.path));
    const sent: Record<string, string> = {};
    for (const name of REQUEST_HEADERS) {
      const value = headers[name];
      if (typeof value === 'string') sent[name] = value;
    }
    const hasBody = method === 'PUT' || method === 'POST';
    if (!upgrade) {
      const body = hasBody ? { body: request.stream() } : {};
      return this.#nodes.call(node, { method, target, headers: sent, signal, ...body });
    }
    const whole = await collect(request.stream(), REACH_UPGRADE_BODY_BYTES_MAX);
    sent['content-length'] = String(whole.length);
    const body = once(whole);
    return this.#nodes.call(node, { method, target, headers: sent, signal, upgrade, body });
  }
}

async function* once(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  if (bytes.length > 0) yield bytes;
}

function withNode(container: EngineJson, node: OtherNode): EngineJson {
  return { ...container, Node: { ID: node.id, Name: node.hostname } };
}

function targetOf({ version }: ApiRequest, path: string, query: string): string {
  const prefix = `/v${Math.floor(version / 1000)}.${version % 1000}`;
  return `${prefix}${path}${query === '' ? '' : `?${query}`}`;
}

/** Copies both ways; over when the node's side ends. */
async function joined(client: ByteStream, connection: Duplex, head: Uint8Array): Promise<void> {
  const there = (async () => {
    for await (const chunk of client.read) {
      if (connection.destroyed) return;
      if (!connection.write(chunk)) {
        await new Promise((resolve) => {
          connection.once('drain', resolve);
          connection.once('close', resolve);
        });
      }
    }
    connection.end();
  })();
  there.catch(() => connection.destroy());
  try {
    if (head.length > 0) await client.write(head);
    for await (const chunk of connection) await client.write(chunk as Uint8Array);
  } catch {
    // Either side has gone; nothing can be answered any more.
  } finally {
    connection.destroy();
    client.close();
  }
}

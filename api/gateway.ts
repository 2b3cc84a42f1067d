// Puts the gateway together: routes, the two sockets, errors to statuses, headers that every answer carries. The daemon makes one and starts it
// once the worker is up. Stopping lets answers in progress finish for a moment; streams are cut.
import type { IncomingMessage } from 'node:http';
import type { NodeEngine } from '#protocol/engine';
import { messageOf, TswarmError } from '#protocol/errors';
import type { Clock, Lifecycle, Log, Random } from '#protocol/world';
import { AuditLog, auditRoutes } from './access/audit.ts';
import { credentialRoutes } from './access/credentials.ts';
import { ApiListener, type ApiListenerOptions } from './access/listener.ts';
import { requireAccess } from './access/rules.ts';
import type { ClusterEvents } from './cache/cluster-events.ts';
import { FreshReads } from './cache/fresh-reads.ts';
import { acrossRoutes } from './cluster/across.ts';
import { clusterRoutes } from './cluster/cluster.ts';
import { composeRoutes } from './cluster/compose.ts';
import { execRoutes as clusterExecRoutes, EXEC_PATH } from './cluster/exec.ts';
import { membershipRoutes } from './cluster/membership.ts';
import { objectRoutes } from './cluster/objects.ts';
import { clusterServiceRoutes } from './cluster/services.ts';
import { rollbackRoutes } from './cluster/stack-rollback.ts';
import { stackRoutes } from './cluster/stacks.ts';
import { topologyRoutes } from './cluster/topology.ts';
import type { Context, Handler, Route } from './context.ts';
import { Dashboard, type DashboardOptions } from './dashboard/dashboard.ts';
import { buildRoutes } from './engine/build.ts';
import { containerStreamRoutes, HIJACK_PATHS } from './engine/container-streams.ts';
import { containerRoutes } from './engine/containers.ts';
import { eventRoutes } from './engine/events.ts';
import { execRoutes } from './engine/exec.ts';
import { imageRoutes } from './engine/images.ts';
import { networkRoutes } from './engine/networks.ts';
import { nodeRoutes } from './engine/nodes.ts';
import { pluginRoutes } from './engine/plugins.ts';
import { secretConfigRoutes } from './engine/secrets-configs.ts';
import { serviceLogRoutes } from './engine/service-logs.ts';
import { serviceRoutes } from './engine/services.ts';
import { swarmRoutes } from './engine/swarm.ts';
import { systemRoutes } from './engine/system.ts';
import { taskRoutes } from './engine/tasks.ts';
import { volumeRoutes } from './engine/volumes.ts';
import { codeOf, EngineError, engineErrorText, problemOf, statusOf } from './http/errors.ts';
import type { Reply } from './http/reply.ts';
import {
  type ApiRequest,
  type Caller,
  emptyBody,
  LOCAL_CALLER,
  Query,
  readJson,
  type Scope,
} from './http/request.ts';
import { Router } from './http/router.ts';
import { HttpServer, type RawRequest, splitTarget } from './http/server.ts';
import { splitVersion } from './http/version.ts';
import { wantsSocket } from './http/websocket.ts';
import { API_VERSION_MAX, UNWANTED_BODY_TIMEOUT_MS } from './limits.ts';
import { metricsRoutes } from './metrics/metrics.ts';
import { RequestMetrics } from './metrics/request-metrics.ts';
import type { NodeControl } from './node-control.ts';
import { boundRoutes } from './openapi/bind.ts';
import { Reach } from './reach/reach.ts';

export interface GatewayOptions {
  /** This node's containers, the cluster's services. */
  readonly nodeSocket: string;
  /** The same API with the containers of all nodes. */
  readonly clusterSocket: string;
  /** Version of tswarm. */
  readonly version: string;
  readonly dashboard: DashboardOptions;
  readonly api: ApiListenerOptions;
  /** Where changes are written down: a file's path. */
  readonly auditFile: string;
}

export interface GatewayDeps {
  readonly engine: NodeEngine;
  readonly node: NodeControl;
  readonly clusterEvents: ClusterEvents;
  /** A name for a service that was given none. */
  readonly randomName: (isTaken: (name: string) => boolean) => string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

const STOP_GRACE_MS = 500;
const OWN_PREFIX = '/tswarm/';

export class Gateway implements Lifecycle {
  readonly #options: GatewayOptions;
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #node: NodeControl;
  readonly #fresh: FreshReads = new FreshReads();
  readonly #router = new Router<Handler>();
  readonly #reach: Reach;
  readonly #dashboard: Dashboard;
  readonly #api: ApiListener;
  readonly #audit: AuditLog;
  readonly #requests: RequestMetrics = new RequestMetrics();
  readonly #servers: HttpServer[] = [];

  constructor(options: GatewayOptions, deps: GatewayDeps) {
    this.#options = options;
    this.#log = deps.log;
    this.#clock = deps.clock;
    this.#node = deps.node;
    const context: Context = { ...deps, version: options.version };
    this.#reach = new Reach(context);
    this.#dashboard = new Dashboard(options.dashboard, {
      ...deps,
      dispatch: (raw, reply, url, caller) =>
        this.#dispatch(raw, reply, { scope: 'cluster', url, caller }),
    });
    this.#api = new ApiListener(options.api, {
      ...deps,
      upgrades: mayUpgrade,
      dispatch: (raw, reply, caller, refusal) => {
        const url = raw.message.url ?? '/';
        return this.#dispatch(raw, reply, { scope: 'cluster', url, caller, refusal });
      },
    });
    this.#audit = new AuditLog(options.auditFile, deps);
    for (const route of this.#routes(context)) {
      this.#router.add(route.method, route.pattern, route.handler);
    }
  }

  #routes(context: Context): readonly Route[] {
    const routes = [
      ...allRoutes(context),
      ...this.#dashboard.routes(),
      ...auditRoutes(this.#audit),
      ...metricsRoutes(context, this.#requests),
    ];
    return boundRoutes(routes, context.version);
  }

  async start(): Promise<void> {
    await this.#listen(this.#options.nodeSocket, 'node');
    await this.#listen(this.#options.clusterSocket, 'cluster');
    await this.#dashboard.start();
    await this.#api.start();
  }

  async stop(): Promise<void> {
    await Promise.all([
      this.#dashboard.stop(STOP_GRACE_MS),
      this.#api.stop(STOP_GRACE_MS),
      ...this.#servers.map((server) => server.close(STOP_GRACE_MS)),
    ]);
    await this.#audit.close();
  }

  async #listen(path: string, scope: Scope): Promise<void> {
    const server = new HttpServer({
      dispatch: (raw, reply) =>
        this.#dispatch(raw, reply, { scope, url: raw.message.url ?? '/', caller: LOCAL_CALLER }),
      upgrades: mayUpgrade,
    });
    await server.listenUnix(path);
    this.#servers.push(server);
  }

  async #dispatch(raw: RawRequest, reply: Reply, asked: Asked): Promise<void> {
    const { message } = raw;
    const startedMs = this.#clock.monotonicMs();
    const target = splitTarget(asked.url);
    const from = message.socket.remoteAddress ?? 'unix';
    let route = '';
    let shown = target.path;
    try {
      commonHeaders(reply, this.#options.version);
      if (!asked.caller) throw asked.refusal;
      const { version, path } = splitVersion(target.path);
      shown = path;
      const match = this.#router.find(message.method ?? 'GET', path);
      if (!match) throw new EngineError('not_found', 404, 'page not found');
      route = match.route;
      requireAccess(asked.caller, route);
      const request = requestOf(raw, { ...asked, caller: asked.caller, target, version, path });
      const own = { ...request, params: match.params };
      const left =
        asked.scope === 'cluster' ? await this.#reach.take(own, target.query, reply) : own;
      if (!left) return;
      await this.#fresh.confirm(this.#node.session(), route, reply);
      await match.handler(left, reply);
    } catch (error) {
      this.#answerError(error, raw, reply, target.path.startsWith(OWN_PREFIX));
    } finally {
      const durationMs = this.#clock.monotonicMs() - startedMs;
      this.#requests.note(route, reply, durationMs);
      const { caller } = asked;
      const method = message.method ?? 'GET';
      this.#audit.note(method, { caller, route, path: shown, from, durationMs }, reply);
    }
  }

  #answerError(error: unknown, raw: RawRequest, reply: Reply, isOwn: boolean): void {
    const fields = { method: raw.message.method, path: raw.message.url?.slice(0, 200) };
    if (codeOf(error) === 'internal' && !(error instanceof TswarmError)) {
      const stack = error instanceof Error ? error.stack : undefined;
      this.#log.error('request failed', { ...fields, reason: messageOf(error), stack });
    } else this.#log.debug('request refused', { ...fields, reason: messageOf(error) });
    if (reply.started || raw.signal.aborted) {
      raw.message.socket.destroy();
      return;
    }
    if (!raw.message.complete) passOver(raw.message);
    const status = statusOf(error);
    if (status === 304) reply.empty(304);
    else if (isOwn)
      reply.text(status, JSON.stringify(problemOf(error)), 'application/problem+json');
    else if (raw.message.method === 'HEAD') reply.empty(status);
    else reply.json(status, { message: engineErrorText(error) });
  }
}

/**
 * Reads what a client still sends of a body that nobody wants. Closing right behind the answer would break a write of the client, and many report
 * that ("broken pipe") instead of the answer. Who sends on for too long is cut off.
 */
function passOver(message: IncomingMessage): void {
  const timer = setTimeout(() => message.socket.destroy(), UNWANTED_BODY_TIMEOUT_MS);
  message.once('close', () => clearTimeout(timer));
  message.resume();
}

interface Asked {
  readonly scope: Scope;
  readonly url: string;
  /** Undefined: nobody that we know; `refusal` is the answer. */
  readonly caller: Caller | undefined;
  readonly refusal?: unknown;
}

function requestOf(
  raw: RawRequest,
  asked: {
    readonly scope: Scope;
    readonly caller: Caller;
    readonly target: ReturnType<typeof splitTarget>;
    readonly version: number;
    readonly path: string;
  },
): Omit<ApiRequest, 'params'> {
  const { message } = raw;
  const type = message.headers['content-type'];
  const { scope, caller, target, version, path } = asked;
  return {
    method: message.method ?? 'GET',
    path,
    version,
    scope,
    caller,
    query: new Query(target.query),
    headers: message.headers,
    signal: raw.signal,
    optionalJson: (bytesMax) => readJson(raw.body, type, bytesMax),
    json: async (bytesMax) => {
      const body = await readJson(raw.body, type, bytesMax);
      if (body) return body;
      throw emptyBody();
    },
    stream: () => raw.body,
  };
}

function mayUpgrade(message: IncomingMessage): boolean {
  const { path } = splitTarget(message.url ?? '/');
  if (message.method === 'GET') return path === EXEC_PATH && wantsSocket(message.headers);
  return message.method === 'POST' && HIJACK_PATHS.some((pattern) => pattern.test(path));
}

function commonHeaders(reply: Reply, version: string): void {
  reply.header('Api-Version', API_VERSION_MAX);
  reply.header('Docker-Experimental', 'false');
  reply.header('Ostype', 'linux');
  reply.header('Server', `tswarm/${version} (linux)`);
}

function allRoutes(context: Context): readonly Route[] {
  return [
    ...systemRoutes(context),
    ...eventRoutes(context),
    ...swarmRoutes(context),
    ...nodeRoutes(context),
    ...serviceRoutes(context),
    ...serviceLogRoutes(context),
    ...taskRoutes(context),
    ...secretConfigRoutes(context),
    ...networkRoutes(context),
    ...volumeRoutes(context),
    ...containerRoutes(context),
    ...containerStreamRoutes(context),
    ...execRoutes(context),
    ...imageRoutes(context),
    ...buildRoutes(context),
    ...pluginRoutes(),
    ...clusterRoutes(context),
    ...membershipRoutes(context),
    ...clusterExecRoutes(context),
    ...clusterServiceRoutes(context),
    ...stackRoutes(context),
    ...rollbackRoutes(context),
    ...objectRoutes(context),
    ...acrossRoutes(context),
    ...composeRoutes(context),
    ...topologyRoutes(context),
    ...credentialRoutes(context),
  ];
}

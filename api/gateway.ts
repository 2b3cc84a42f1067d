// Puts the gateway together: routes, the two sockets, errors to statuses, headers that every answer carries. The daemon makes one and starts it
// once the worker is up. Stopping lets answers in progress finish for a moment; streams are cut.
import type { IncomingMessage } from 'node:http';
import type { NodeEngine } from '#protocol/engine';
import { messageOf, TswarmError } from '#protocol/errors';
import type { Clock, Lifecycle, Log, Random } from '#protocol/world';
import type { ClusterEvents } from './cache/cluster-events.ts';
import { clusterRoutes } from './cluster/cluster.ts';
import { membershipRoutes } from './cluster/membership.ts';
import { clusterServiceRoutes } from './cluster/services.ts';
import { stackRoutes } from './cluster/stacks.ts';
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
  emptyBody,
  Query,
  type Role,
  readJson,
  type Scope,
} from './http/request.ts';
import { Router } from './http/router.ts';
import { HttpServer, type RawRequest, splitTarget } from './http/server.ts';
import { splitVersion } from './http/version.ts';
import { API_VERSION_MAX } from './limits.ts';
import type { NodeControl } from './node-control.ts';
import { Reach } from './reach/reach.ts';

export interface GatewayOptions {
  /** This node's containers, the cluster's services. */
  readonly nodeSocket: string;
  /** The same API with the containers of all nodes. */
  readonly clusterSocket: string;
  /** Version of tswarm. */
  readonly version: string;
  readonly dashboard: DashboardOptions;
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
  readonly #router = new Router<Handler>();
  readonly #reach: Reach;
  readonly #dashboard: Dashboard;
  readonly #servers: HttpServer[] = [];

  constructor(options: GatewayOptions, deps: GatewayDeps) {
    this.#options = options;
    this.#log = deps.log;
    const context: Context = { ...deps, version: options.version };
    this.#reach = new Reach(context);
    this.#dashboard = new Dashboard(options.dashboard, {
      ...deps,
      dispatch: (raw, reply, url, role) =>
        this.#dispatch(raw, reply, { scope: 'cluster', url, role }),
    });
    for (const route of [...allRoutes(context), ...this.#dashboard.routes()]) {
      this.#router.add(route.method, route.pattern, route.handler);
    }
  }

  async start(): Promise<void> {
    await this.#listen(this.#options.nodeSocket, 'node');
    await this.#listen(this.#options.clusterSocket, 'cluster');
    await this.#dashboard.start();
  }

  async stop(): Promise<void> {
    await Promise.all([
      this.#dashboard.stop(STOP_GRACE_MS),
      ...this.#servers.map((server) => server.close(STOP_GRACE_MS)),
    ]);
  }

  async #listen(path: string, scope: Scope): Promise<void> {
    const server = new HttpServer({
      dispatch: (raw, reply) =>
        this.#dispatch(raw, reply, { scope, url: raw.message.url ?? '/', role: 'admin' }),
      upgrades: mayUpgrade,
    });
    await server.listenUnix(path);
    this.#servers.push(server);
  }

  async #dispatch(
    raw: RawRequest,
    reply: Reply,
    { scope, url, role }: { readonly scope: Scope; readonly url: string; readonly role: Role },
  ): Promise<void> {
    const { message } = raw;
    const target = splitTarget(url);
    const isOwn = target.path.startsWith(OWN_PREFIX);
    try {
      commonHeaders(reply, this.#options.version);
      const { version, path } = splitVersion(target.path);
      const match = this.#router.find(message.method ?? 'GET', path);
      if (!match) throw new EngineError('not_found', 404, 'page not found');
      const request: ApiRequest = {
        method: message.method ?? 'GET',
        path,
        version,
        scope,
        role,
        params: match.params,
        query: new Query(target.query),
        headers: message.headers,
        signal: raw.signal,
        optionalJson: (bytesMax) => readJson(raw.body, message.headers['content-type'], bytesMax),
        json: async (bytesMax) => {
          const body = await readJson(raw.body, message.headers['content-type'], bytesMax);
          if (body) return body;
          throw emptyBody();
        },
        stream: () => raw.body,
      };
      const left =
        scope === 'cluster' ? await this.#reach.take(request, target.query, reply) : request;
      if (left) await match.handler(left, reply);
    } catch (error) {
      this.#answerError(error, raw, reply, isOwn);
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
    // What the client still sends of its body must not be taken for the next request.
    if (!raw.message.complete) reply.header('Connection', 'close');
    const status = statusOf(error);
    if (status === 304) reply.empty(304);
    else if (isOwn)
      reply.text(status, JSON.stringify(problemOf(error)), 'application/problem+json');
    else if (raw.message.method === 'HEAD') reply.empty(status);
    else reply.json(status, { message: engineErrorText(error) });
  }
}

function mayUpgrade(message: IncomingMessage): boolean {
  const { path } = splitTarget(message.url ?? '/');
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
    ...clusterServiceRoutes(context),
    ...stackRoutes(context),
  ];
}

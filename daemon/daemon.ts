// One running daemon: makes the parts in order, starts them, stops them in reverse. What main.ts does with processes (signals, exit codes) is not
// here, so that a test can run a daemon in its own process.
import { chmodSync, existsSync, mkdirSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { ClusterEvents } from '#api/cache/cluster-events';
import { Gateway } from '#api/gateway';
import { TswarmError } from '#protocol/errors';
import type { Clock, Lifecycle, Log, Random } from '#protocol/world';
import { randomName } from '#worker/engine/names';
import { createWorker, type Worker } from '#worker/worker';
import type { Config } from './config.ts';
import { takeLock } from './lock.ts';
import { blockedAt, findUser, isSocketUser, type User } from './manager-user.ts';
import { NodeController } from './node-controller.ts';

export interface DaemonDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Version of tswarm. */
  readonly version: string;
  /** Path of manager/main.ts or its compiled form. */
  /** Folder of package.json: the dashboard's files are below it. */
  readonly root: string;
  readonly managerScript: string;
}

/** Others may pass through (the manager's user, containers' users), not look around. */
const ROOT_MODE = 0o711;

export class Daemon implements Lifecycle {
  readonly #config: Config;
  readonly #deps: DaemonDeps;
  #unlock: (() => void) | undefined;
  #worker: Worker | undefined;
  #node: NodeController | undefined;
  #gateway: Gateway | undefined;

  constructor(config: Config, deps: DaemonDeps) {
    this.#config = config;
    this.#deps = deps;
  }

  /** @throws TswarmError with one sentence for the user; then everything that was started is stopped again. */
  async start(): Promise<void> {
    const { dataRoot, runRoot } = this.#config;
    for (const root of [dataRoot, runRoot]) makeRoot(root);
    this.#unlock = takeLock(dataRoot);
    try {
      await this.#startParts();
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  async #startParts(): Promise<void> {
    const { clock, log, version } = this.#deps;
    const { dataRoot, runRoot, nativeDir } = this.#config;
    const worker = createWorker(
      {
        dataRoot,
        runRoot,
        nativeDir,
        runtimePath: this.#config.runtime,
        engineVersion: version,
        engineSocket: join(runRoot, 'docker.sock'),
        labels: labelMap(this.#config.labels),
        genericResources: this.#config.genericResources,
        insecureRegistries: this.#config.insecureRegistries,
        registryMirrors: this.#config.registryMirrors,
        meshPort: Number(this.#config.meshPort),
        meshAddress: this.#config.meshAddr,
      },
      { ...this.#deps, hostChanged: () => this.#node?.hostChanged() },
    );
    this.#worker = worker;
    await worker.start();
    const clusterEvents = new ClusterEvents(clock);
    const node = new NodeController(this.#config, {
      worker,
      clusterEvents,
      clock,
      random: this.#deps.random,
      log: log.child('node'),
      hostname: hostname(),
      managerScript: this.#deps.managerScript,
      managerUser: this.#managerUser(),
    });
    this.#node = node;
    await node.start();
    const gateway = new Gateway(
      {
        nodeSocket: join(runRoot, 'docker.sock'),
        clusterSocket: join(runRoot, 'cluster.sock'),
        version,
        api: { address: this.#config.apiAddr, names: this.#config.apiNames },
        auditFile: join(dataRoot, 'audit.log'),
        dashboard: {
          address: this.#config.dashboardAddr,
          certFile: this.#config.dashboardCert,
          keyFile: this.#config.dashboardKey,
          folders: {
            scripts: join(this.#deps.root, 'dist/dashboard'),
            statics: join(this.#deps.root, 'dashboard/static'),
            modules: join(this.#deps.root, 'node_modules'),
            protocol: join(this.#deps.root, 'dist/protocol'),
            api: join(this.#deps.root, 'dist/api'),
          },
        },
      },
      {
        engine: worker.engine,
        node,
        clusterEvents,
        randomName: (isTaken) => randomName(this.#deps.random, isTaken),
        clock,
        random: this.#deps.random,
        log: log.child('api'),
      },
    );
    this.#gateway = gateway;
    await gateway.start();
    log.info('ready', { dataRoot, socket: join(runRoot, 'docker.sock') });
  }

  /** Who the manager runs as; undefined = root. */
  #managerUser(): User | undefined {
    const user = findUser(this.#config.managerUser);
    if (!user) return undefined;
    if (isSocketUser(user)) {
      throw new TswarmError(
        'invalid_argument',
        `manager-user: ${user.name} is in the group of tswarm's sockets, which may do anything on this node`,
        { hint: 'Choose a user with a group of its own: useradd --system --user-group NAME.' },
      );
    }
    const needed = [
      join(this.#config.dataRoot, 'manager'),
      this.#deps.managerScript,
      process.execPath,
    ];
    const folder = needed.map((path) => blockedAt(user, path)).find((found) => found);
    if (folder === undefined) return user;
    this.#deps.log.warn('the manager runs as root: its own user may not pass a folder', {
      user: user.name,
      folder,
    });
    return undefined;
  }

  /** Containers keep running. */
  async stop(): Promise<void> {
    await this.#gateway?.stop();
    await this.#node?.stop();
    await this.#worker?.stop();
    this.#unlock?.();
    this.#unlock = undefined;
  }
}

function makeRoot(path: string): void {
  const isNew = !existsSync(path);
  mkdirSync(path, { recursive: true, mode: ROOT_MODE });
  // The mode of mkdir is cut by the umask; a folder that was there keeps what its owner chose.
  if (isNew) chmodSync(path, ROOT_MODE);
}

function labelMap(labels: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(
    labels.map((label) => {
      const at = label.indexOf('=');
      return at < 0 ? [label, ''] : [label.slice(0, at), label.slice(at + 1)];
    }),
  );
}

// The Engine API's container calls on this node: looks containers up by name, reads bodies, and hands over to the runtime. Task containers are in it like all
// others. Keeps no state of its own.
import type {
  AttachedStream,
  AttachOptions,
  ContainerEngine,
  EngineFilters,
  EngineJson,
  LogOptions,
  OutputFrame,
} from '#protocol/engine';
import { TswarmError } from '#protocol/errors';
import type { CancelSignal } from '#protocol/world';
import { logAttributes, logSubject } from '../logs/log-attributes.ts';
import type { LogSource } from '../logs/log-waker.ts';
import { readLogs } from '../logs/read-logs.ts';
import { attachContainer } from '../runtime/attach.ts';
import type { Container } from '../runtime/container.ts';
import { noSuchContainer, notRunning } from '../runtime/container-errors.ts';
import { emitContainer } from '../runtime/container-events.ts';
import type { Containers } from '../runtime/containers.ts';
import type { RuntimeDeps } from '../runtime/deps.ts';
import { LOST_EXIT_CODE } from '../runtime/finish.ts';
import { logSettings } from '../runtime/log-config.ts';
import { exitOfState } from '../runtime/removal.ts';
import type { ExitInfo } from '../runtime/shim-client.ts';
import { changesOf, exportTar, getArchive, putArchive, statPath } from './archive.ts';
import { checkContainerName, parseCreateBody } from './create-body.ts';
import { listFilter, pruneFilter } from './filters.ts';
import { checkHostConfig } from './host-config.ts';
import type { InspectContext } from './inspect.ts';
import { inspectContainer, listEntry } from './inspect.ts';
import { randomName } from './names.ts';
import { statsOf } from './stats.ts';
import { topOf } from './top.ts';
import { updatedHostConfig } from './update.ts';

export interface ContainerEngineDeps extends RuntimeDeps {
  readonly containers: Containers;
  networkOf(idOrName: string): { readonly id: string; readonly name: string } | undefined;
  /** For followers of a log: the container may still write. */
  logSource(container: Container): LogSource;
}

export class NodeContainerEngine implements ContainerEngine {
  readonly #deps: ContainerEngineDeps;

  constructor(deps: ContainerEngineDeps) {
    this.#deps = deps;
  }

  /** @throws not_found */
  find(idOrName: string): Container {
    const container = this.#deps.table.find(idOrName);
    if (!container) throw noSuchContainer(idOrName);
    return container;
  }

  #context(container: Container): InspectContext {
    return {
      host: this.#deps.host,
      rootfs: this.#deps.images.rootfsOf(container.id),
      networkOf: (idOrName) => this.#deps.networkOf(idOrName),
    };
  }

  async list(options: {
    all: boolean;
    limit: number;
    size: boolean;
    filters: EngineFilters;
  }): Promise<readonly EngineJson[]> {
    const wanted = listFilter(options.filters, options.all || options.limit > 0, this.#deps);
    let found = this.#deps.table.list().filter(wanted);
    if (options.limit > 0) found = found.slice(0, options.limit);
    const nowMs = this.#deps.clock.nowMs();
    return Promise.all(
      found.map(async (container) => {
        const entry = listEntry(container, this.#context(container), nowMs);
        return options.size ? { ...entry, ...(await this.#sizes(container)) } : entry;
      }),
    );
  }

  async #sizes(container: Container): Promise<EngineJson> {
    const upper = await this.#deps.images.upperSize(container.id).catch(() => 0);
    const image = this.#deps.images.resolve(container.record.imageId);
    return {
      ...(upper > 0 ? { SizeRw: upper } : {}),
      SizeRootFs: upper + (image?.sizeBytes ?? 0),
    };
  }

  async create(body: EngineJson, options: { name: string; platform: string }): Promise<EngineJson> {
    const request = parseCreateBody(body);
    const name =
      options.name === ''
        ? randomName(this.#deps.random, (text) => this.#deps.table.byName(text) !== undefined)
        : checkContainerName(options.name);
    const image = this.#deps.images.resolve(request.image);
    if (!image) throw new TswarmError('not_found', `No such image: ${withTag(request.image)}`);
    this.#checkPlatform(options.platform, image.config.architecture, request.image);
    const container = await this.#deps.containers.create({
      name,
      image,
      imageRef: request.image,
      config: request.config,
      hostConfig: request.hostConfig,
      endpoints: request.endpoints,
    });
    return { Id: container.id, Warnings: [] };
  }

  #checkPlatform(platform: string, architecture: string, image: string): void {
    const wanted = platform.split('/')[1];
    if (wanted === undefined || wanted === '' || wanted === architecture) return;
    throw new TswarmError(
      'not_found',
      `image with reference ${image} was found but does not match the specified platform: wanted ${platform}, actual: linux/${architecture}`,
    );
  }

  async inspect(idOrName: string, options: { size: boolean }): Promise<EngineJson> {
    const container = this.find(idOrName);
    const json = inspectContainer(container, this.#context(container));
    if (!options.size) return json;
    const { SizeRw = 0, ...rest } = await this.#sizes(container);
    return { ...json, SizeRw, ...rest };
  }

  async start(idOrName: string): Promise<void> {
    await this.#deps.containers.start(this.find(idOrName));
  }

  async stop(
    idOrName: string,
    options: { timeoutSeconds?: number; signal: string },
  ): Promise<void> {
    await this.#deps.containers.stop(this.find(idOrName), stopOptions(options));
  }

  async restart(
    idOrName: string,
    options: { timeoutSeconds?: number; signal: string },
  ): Promise<void> {
    await this.#deps.containers.restart(this.find(idOrName), stopOptions(options));
  }

  async kill(idOrName: string, signal: string): Promise<void> {
    await this.#deps.containers.kill(this.find(idOrName), signal, idOrName);
  }

  async pause(idOrName: string): Promise<void> {
    await this.#deps.containers.pause(this.find(idOrName));
  }

  async unpause(idOrName: string): Promise<void> {
    await this.#deps.containers.unpause(this.find(idOrName));
  }

  async rename(idOrName: string, name: string): Promise<void> {
    const container = this.find(idOrName);
    if (name === '') {
      throw new TswarmError('invalid_argument', 'Neither old nor new names may be empty');
    }
    const wanted = checkContainerName(name);
    if (wanted === container.record.name) {
      throw new TswarmError(
        'invalid_argument',
        'Renaming a container with the same name as its current name',
      );
    }
    await this.#deps.containers.rename(container, wanted);
  }

  async update(idOrName: string, body: EngineJson): Promise<EngineJson> {
    const container = this.find(idOrName);
    const hostConfig = updatedHostConfig(container.record.hostConfig, body);
    checkHostConfig(hostConfig);
    await this.#deps.containers.update(container, hostConfig);
    return { Warnings: null };
  }

  async remove(idOrName: string, options: { force: boolean; volumes: boolean }): Promise<void> {
    await this.#deps.containers.remove(this.find(idOrName), { ...options, shownName: idOrName });
  }

  async wait(
    idOrName: string,
    condition: 'not-running' | 'next-exit' | 'removed',
  ): Promise<{
    readonly exit: Promise<{ StatusCode: number; Error: { Message: string } | null }>;
  }> {
    const container = this.find(idOrName);
    return { exit: this.#waitFor(container, condition) };
  }

  async #waitFor(
    container: Container,
    condition: 'not-running' | 'next-exit' | 'removed',
  ): Promise<{ StatusCode: number; Error: { Message: string } | null }> {
    let exit: ExitInfo;
    if (condition === 'removed') {
      await container.nextRemoval();
      exit = exitOfState(container);
    } else if (condition === 'next-exit' || container.isRunning) {
      exit = await container.nextExit();
    } else {
      exit = exitOfState(container);
    }
    // Why a start failed is told to whoever asked for the start: clients would print an error of the wait as a second message.
    const message = exit.exitCode === LOST_EXIT_CODE ? container.state.error : '';
    return { StatusCode: exit.exitCode, Error: message === '' ? null : { Message: message } };
  }

  async logs(
    idOrName: string,
    options: LogOptions,
    signal: CancelSignal,
  ): Promise<{ readonly tty: boolean; readonly output: AsyncIterable<OutputFrame> }> {
    if (!options.stdout && !options.stderr) {
      throw new TswarmError(
        'invalid_argument',
        'Bad parameters: you must choose at least one stream',
      );
    }
    const container = this.find(idOrName);
    this.#requireLog(container);
    const { record } = container;
    const { Config } = record.hostConfig.LogConfig;
    return {
      tty: record.config.Tty,
      output: readLogs(
        {
          path: container.paths.logPath,
          log: options,
          source: this.#deps.logSource(container),
          attributes: logAttributes(Config, logSubject(record, this.#deps.host.hostname)),
        },
        signal,
      ),
    };
  }

  #requireLog(container: Container): void {
    if (logSettings(container.record.hostConfig.LogConfig).isReadable) return;
    throw new TswarmError('not_supported', 'configured logging driver does not support reading');
  }

  async attach(idOrName: string, options: AttachOptions): Promise<AttachedStream> {
    const container = this.find(idOrName);
    const live = options.stream
      ? await attachContainer(container, options)
      : endedStream(container.record.config.Tty);
    emitContainer(this.#deps, container, 'attach');
    if (!options.logs) return live;
    const past = readLogs(
      {
        path: container.paths.logPath,
        log: {
          stdout: options.stdout,
          stderr: options.stderr,
          follow: false,
          timestamps: false,
          details: false,
          sinceMicros: 0,
          untilMicros: 0,
          tail: -1,
        },
        source: this.#deps.logSource(container),
      },
      new AbortController().signal,
    );
    return { ...live, output: concatenated(past, live.output) };
  }

  async resize(idOrName: string, size: { width: number; height: number }): Promise<void> {
    const container = this.find(idOrName);
    if (!container.run) throw notRunning(container);
    await container.run.shim.resize(size.width, size.height);
    emitContainer(this.#deps, container, 'resize', {
      height: String(size.height),
      width: String(size.width),
    });
  }

  async top(idOrName: string, psArgs: string): Promise<EngineJson> {
    return topOf(this.find(idOrName), psArgs, this.#deps);
  }

  async stats(
    idOrName: string,
    options: { stream: boolean; oneShot: boolean },
    signal: CancelSignal,
  ): Promise<AsyncIterable<EngineJson>> {
    return statsOf(this.find(idOrName), options, this.#deps, signal);
  }

  async changes(idOrName: string): Promise<readonly EngineJson[]> {
    return changesOf(this.find(idOrName), this.#deps);
  }

  async exportTar(idOrName: string): Promise<AsyncIterable<Uint8Array>> {
    return exportTar(this.find(idOrName), this.#deps);
  }

  async statPath(idOrName: string, path: string): Promise<EngineJson> {
    return statPath(this.find(idOrName), path, idOrName, this.#deps);
  }

  async getArchive(
    idOrName: string,
    path: string,
  ): Promise<{ readonly stat: EngineJson; readonly tar: AsyncIterable<Uint8Array> }> {
    return getArchive(this.find(idOrName), path, idOrName, this.#deps);
  }

  async putArchive(
    idOrName: string,
    path: string,
    tar: AsyncIterable<Uint8Array>,
    options: { noOverwriteDirNonDir: boolean; copyUidGid: boolean },
  ): Promise<void> {
    await putArchive(
      this.find(idOrName),
      path,
      tar,
      { ...options, shownName: idOrName },
      this.#deps,
    );
  }

  async prune(filters: EngineFilters): Promise<EngineJson> {
    const wanted = pruneFilter(filters, this.#deps.clock.nowMs());
    const deleted: string[] = [];
    let space = 0;
    for (const container of this.#deps.table.list()) {
      if (container.run || container.record.task || container.restartTimer) continue;
      if (!wanted(container)) continue;
      const bytes = await this.#deps.images.upperSize(container.id).catch(() => 0);
      try {
        await this.#deps.containers.remove(container, {
          force: false,
          volumes: false,
          shownName: container.record.name,
        });
      } catch (error) {
        if (error instanceof TswarmError && error.code === 'conflict') continue;
        throw error;
      }
      deleted.push(container.id);
      space += bytes;
    }
    this.#deps.events.emit({
      type: 'container',
      action: 'prune',
      actorId: '',
      attributes: { reclaimed: String(space) },
    });
    return { ContainersDeleted: deleted.length > 0 ? deleted : null, SpaceReclaimed: space };
  }
}

function stopOptions(options: { timeoutSeconds?: number; signal: string }): {
  graceMs?: number;
  signal: string;
  byUser: boolean;
} {
  return {
    ...(options.timeoutSeconds === undefined ? {} : { graceMs: options.timeoutSeconds * 1000 }),
    signal: options.signal,
    byUser: true,
  };
}

/** As the engine prints a reference without a tag. */
function withTag(ref: string): string {
  const last = ref.split('/').at(-1) ?? '';
  return last.includes(':') || ref.includes('@') ? ref : `${ref}:latest`;
}

function endedStream(tty: boolean): AttachedStream {
  return {
    tty,
    output: (async function* (): AsyncGenerator<OutputFrame> {})(),
    writeStdin: async () => {},
    closeStdin: () => {},
    detach: () => {},
  };
}

async function* concatenated(
  first: AsyncIterable<OutputFrame>,
  second: AsyncIterable<OutputFrame>,
): AsyncGenerator<OutputFrame> {
  yield* first;
  yield* second;
}

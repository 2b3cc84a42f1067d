// tcompose watch: `develop.watch` of the file. Changed files go into the running containers (sync), or the service is built and replaced (rebuild) or
// restarted (restart). One batch of changes after another; what changes meanwhile is in the next one.
import { existsSync, readFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import { Dockerignore } from '#protocol/dockerignore';
import { messageOf, TswarmError } from '#protocol/errors';
import { packFiles } from '../client/archive.ts';
import { type TreeChange, TreeWatch } from '../client/tree-watch.ts';
import { EXIT } from '../output/fail.ts';
import { serviceContainers } from './containers.ts';
import type { ComposeContext, LoadedProject } from './context.ts';
import { execIn } from './exec.ts';
import { Interrupt } from './interrupt.ts';
import { restart } from './run-state.ts';
import { up } from './up.ts';

export interface WatchOptions {
  readonly up?: boolean;
  readonly prune?: boolean;
  readonly quiet?: boolean;
}

type Trigger = NonNullable<
  NonNullable<LoadedProject['project']['services'][string]['develop']>['watch']
>[number];

interface Watched {
  readonly service: string;
  readonly trigger: Trigger;
  /** Absolute. */
  readonly path: string;
  readonly tree: TreeWatch;
}

/** What editors and version control leave behind; docker compose leaves it out too. */
const EPHEMERAL: readonly string[] = [
  '**/.git',
  '**/.idea',
  '**/*~',
  '**/.*.sw[a-z]',
  '**/4913',
  '**/.#*',
  '**/#*#',
  '**/*___jb_tmp___',
  '**/*___jb_old___',
];

export async function watch(
  context: ComposeContext,
  keys: readonly string[],
  options: WatchOptions,
): Promise<number> {
  const watcher = await ProjectWatch.of(context, keys, options);
  const interrupt = new Interrupt();
  try {
    if (options.up !== false) {
      const code = await up(context, keys, { detach: true, build: true });
      if (code !== EXIT.ok) return code;
    }
    const ended = new Promise<void>((resolve) => interrupt.onInterrupt(resolve));
    await watcher.start();
    await ended;
    return EXIT.interrupted;
  } finally {
    interrupt.dispose();
    watcher.close();
  }
}

export class ProjectWatch {
  readonly #context: ComposeContext;
  readonly #options: WatchOptions;
  readonly #watched: readonly Watched[];
  /** Batches run one after another. */
  #last: Promise<void> = Promise.resolve();

  private constructor(context: ComposeContext, options: WatchOptions, watched: readonly Watched[]) {
    this.#context = context;
    this.#options = options;
    this.#watched = watched;
  }

  /** Remembers how the files are now. @throws TswarmError when nothing in the file is to be watched */
  static async of(
    context: ComposeContext,
    keys: readonly string[],
    options: WatchOptions,
  ): Promise<ProjectWatch> {
    const { project } = context.load(keys);
    const watched = Object.entries(project.services)
      .filter(([key]) => keys.length === 0 || keys.includes(key))
      .flatMap(([service, { develop, build }]) =>
        (develop?.watch ?? []).map((trigger) => watchedOf(service, trigger, build?.context)),
      );
    if (watched.length === 0) {
      throw new TswarmError('invalid_argument', 'none of the services has something to watch', {
        hint: 'Say what with develop.watch in the compose file.',
      });
    }
    await Promise.all(watched.map(({ tree }) => tree.look()));
    return new ProjectWatch(context, options, watched);
  }

  async start(): Promise<void> {
    for (const one of this.#watched) {
      await one.tree.start(() => this.#soon(one));
      if (one.trigger.initial_sync === true) await this.#syncAll(one);
      // What has changed since it was remembered.
      this.#soon(one);
    }
    this.#say('Watch enabled');
  }

  close(): void {
    for (const { tree } of this.#watched) tree.close();
  }

  #say(text: string): void {
    if (this.#options.quiet !== true) process.stderr.write(`⦿ ${text}\n`);
  }

  #soon(one: Watched): void {
    this.#last = this.#last
      .then(async () => {
        const change = await one.tree.look();
        if (change.changed.length + change.removed.length > 0) await this.#act(one, change);
      })
      .catch((error: unknown) => {
        process.stderr.write(`Error: watch ${one.path}: ${messageOf(error)}\n`);
      });
  }

  async #act({ service, trigger, path }: Watched, change: TreeChange): Promise<void> {
    const count = change.changed.length + change.removed.length;
    const action = trigger.action ?? '';
    if (action === 'rebuild') {
      this.#say(`Rebuilding service "${service}" after ${count} changes were detected`);
      const before = await this.#imageOf(service);
      await up(this.#context, [service], { detach: true, build: true, deps: false });
      if (this.#options.prune !== false)
        await this.#dropImage(before, await this.#imageOf(service));
      return;
    }
    if (action.startsWith('sync')) {
      this.#say(`Syncing service "${service}" after ${count} changes were detected`);
      await this.#sync(service, path, trigger.target ?? '/', change);
    }
    if (action === 'restart' || action === 'sync+restart') {
      this.#say(`Restarting service "${service}"`);
      await restart(this.#context, [service]);
    }
    if (action === 'sync+exec') await this.#exec(service, trigger);
  }

  async #syncAll({ service, trigger, path, tree }: Watched): Promise<void> {
    const change = { changed: tree.everything(), removed: [] };
    await this.#sync(service, path, trigger.target ?? '/', change);
  }

  async #sync(service: string, path: string, target: string, change: TreeChange): Promise<void> {
    const { client } = this.#context;
    const inside = (name: string): string => (name === '' ? target : posix.join(target, name));
    const containers = await serviceContainers(this.#context, [service], { all: false });
    for (const { id } of containers) {
      if (change.removed.length > 0) {
        const command = ['rm', '-rf', '--', ...change.removed.map(inside)];
        await execIn(client, id, command, {});
      }
      if (change.changed.length === 0) continue;
      const files = change.changed.map((name) => ({
        path: name === '' ? path : join(path, name),
        name: inside(name).replace(/^\/+/, ''),
      }));
      const stream = { data: packFiles(files), type: 'application/x-tar' };
      const query = { path: '/', noOverwriteDirNonDir: true };
      await client.json('PUT', `/containers/${id}/archive`, { query, stream });
    }
  }

  async #exec(service: string, trigger: Trigger): Promise<void> {
    const { command, user, privileged, working_dir: workdir, environment = {} } = trigger.exec;
    const env = Object.entries(environment).map(([name, value]) => `${name}=${value ?? ''}`);
    for (const { id } of await serviceContainers(this.#context, [service], { all: false })) {
      const code = await execIn(this.#context.client, id, command ?? [], {
        ...(user === undefined ? {} : { user }),
        ...(privileged === undefined ? {} : { privileged }),
        ...(workdir === undefined ? {} : { workdir }),
        env,
      });
      if (code !== 0) this.#say(`Command of service "${service}" ended with exit code ${code}`);
    }
  }

  /** Id of the image that the service's first container runs. */
  async #imageOf(service: string): Promise<string> {
    const [first] = await serviceContainers(this.#context, [service], { all: true });
    if (!first) return '';
    const { Image } = await this.#context.client.get<{ Image: string }>(
      `/containers/${first.id}/json`,
    );
    return Image;
  }

  /** The image that a rebuilt one has replaced, unless somebody else uses it. */
  async #dropImage(before: string, now: string): Promise<void> {
    if (before === '' || before === now) return;
    await this.#context.client.delete(`/images/${before}`).catch(() => undefined);
  }
}

function watchedOf(service: string, trigger: Trigger, context: string | undefined): Watched {
  const path = trigger.path ?? '.';
  const ignore = new Dockerignore([...EPHEMERAL, ...(trigger.ignore ?? [])].join('\n'));
  const file = context === undefined ? '' : join(context, '.dockerignore');
  const build = new Dockerignore(existsSync(file) ? readFileSync(file, 'utf8') : '');
  const include = (trigger.include ?? []).length > 0 ? trigger.include : undefined;
  const only = include && new Dockerignore(include.join('\n'));
  const tree = new TreeWatch(
    path,
    (name) => ignore.ignores(name) || build.ignores(name),
    (name) => only === undefined || only.ignores(name),
  );
  return { service, trigger, path, tree };
}

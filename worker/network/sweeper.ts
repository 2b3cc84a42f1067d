// Removes interfaces and network namespaces of this node that no container has: what a worker that was killed left, and what a container's end could not
// take along. Looks at names only; whatever has not this node's prefix, or is not in its folder, is somebody else's.
import { messageOf } from '#protocol/errors';
import type { Log } from '#protocol/world';
import { listFolder } from '../files.ts';
import type { AttachmentStore } from './attachment-store.ts';
import { SWEEP_DELAY_MS } from './limits.ts';
import type { NetHelper } from './net-helper.ts';

export interface SweeperDeps {
  readonly helper: NetHelper;
  readonly records: AttachmentStore;
  /** How the names of this node's interfaces begin. */
  readonly links: string;
  /** Folder of the containers' network namespaces. */
  readonly netnsDir: string;
  readonly log: Log;
}

export class Sweeper {
  readonly #deps: SweeperDeps;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(deps: SweeperDeps) {
    this.#deps = deps;
  }

  /** What is there without a container; changes nothing. */
  async left(): Promise<{
    readonly links: readonly string[];
    readonly namespaces: readonly string[];
  }> {
    const { helper, records, netnsDir } = this.#deps;
    const { links } = await helper.inspect(this.#deps.links);
    const names = await listFolder(netnsDir);
    return {
      links: links.map(({ name }) => name).filter((name) => !records.hasLink(name)),
      namespaces: names.filter((name) => !records.has(name)).map((name) => `${netnsDir}/${name}`),
    };
  }

  async sweep(): Promise<void> {
    const { helper } = this.#deps;
    const { links, namespaces } = await this.left();
    if (links.length > 0) await helper.deleteLinks(links);
    for (const path of namespaces) await helper.detach(path, []);
  }

  /** Once, after a while: whatever is left until then goes together. */
  later(): void {
    if (this.#timer !== undefined || this.#stopped) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.sweep().catch((error: unknown) => {
        const message = 'left interfaces not removed';
        if (!this.#stopped) this.#deps.log.error(message, { error: messageOf(error) });
      });
    }, SWEEP_DELAY_MS);
    this.#timer.unref();
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }
}

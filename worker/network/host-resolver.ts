// The host's own resolver settings, kept up to date: a host that changes its network (DHCP, VPN) gets other name servers, and containers must follow
// without being restarted. Watches /etc/resolv.conf, its folder (programs replace the file) and the same for the file that it may be a link to.
import { type FSWatcher, watch } from 'node:fs';
import { realpath } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { messageOf } from '#protocol/errors';
import type { Log } from '#protocol/world';
import { type HostResolver, readHostResolver } from './host.ts';
import { RESOLV_CONF_SETTLE_MS } from './limits.ts';

const RESOLV_CONF = '/etc/resolv.conf';

const NOTHING: HostResolver = { nameservers: [], search: [], options: [] };

export class HostResolverWatch {
  readonly #log: Log;
  readonly #changed: () => void;
  #current: HostResolver = NOTHING;
  #watchers: FSWatcher[] = [];
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  /** `changed` is called when the settings are others than before. */
  constructor(log: Log, changed: () => void) {
    this.#log = log;
    this.#changed = changed;
  }

  get current(): HostResolver {
    return this.#current;
  }

  async start(): Promise<void> {
    await this.#arm();
    this.#current = await readHostResolver();
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
    for (const watcher of this.#watchers) watcher.close();
    this.#watchers = [];
  }

  async #arm(): Promise<void> {
    const target = await realpath(RESOLV_CONF).catch(() => RESOLV_CONF);
    if (this.#stopped) return;
    for (const watcher of this.#watchers) watcher.close();
    this.#watchers = [];
    for (const file of new Set([RESOLV_CONF, target])) {
      this.#watch(file, file);
      this.#watch(dirname(file), file);
    }
  }

  #watch(path: string, file: string): void {
    try {
      const watcher = watch(path, { persistent: false }, (_event, name) => {
        if (name === null || name === basename(file)) this.#look();
      });
      watcher.on('error', () => watcher.close());
      this.#watchers.push(watcher);
    } catch (error) {
      // Without the folder, the settings are those of the worker's start; the file may be absent for now.
      if (path !== file)
        this.#log.warn('changes of the host resolver are not noticed', { error: messageOf(error) });
    }
  }

  #look(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(async () => {
      // The file may be another one now.
      await this.#arm();
      const now = await readHostResolver();
      if (this.#stopped) return;
      if (JSON.stringify(now) === JSON.stringify(this.#current)) return;
      this.#current = now;
      this.#changed();
    }, RESOLV_CONF_SETTLE_MS);
    this.#timer.unref();
  }
}

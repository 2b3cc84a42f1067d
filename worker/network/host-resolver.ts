// The host's own resolver settings, kept up to date: a host that changes its network (DHCP, VPN) gets other name servers, and containers must follow
// without being restarted. Watches the folders of /etc/resolv.conf and of the file that it is a link to.
import { type FSWatcher, watch } from 'node:fs';
import { realpath } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { messageOf } from '#protocol/errors';
import type { Log } from '#protocol/world';
import { type HostResolver, readHostResolver } from './host.ts';

const RESOLV_CONF = '/etc/resolv.conf';
/** Programs write the file in several steps. */
const SETTLE_MS = 100;

const NOTHING: HostResolver = { nameservers: [], search: [], options: [] };

export class HostResolverWatch {
  readonly #log: Log;
  readonly #changed: () => void;
  #current: HostResolver = NOTHING;
  #watchers: FSWatcher[] = [];
  #timer: NodeJS.Timeout | undefined;

  /** `changed` is called when the settings are others than before. */
  constructor(log: Log, changed: () => void) {
    this.#log = log;
    this.#changed = changed;
  }

  get current(): HostResolver {
    return this.#current;
  }

  async start(): Promise<void> {
    this.#current = await readHostResolver();
    const target = await realpath(RESOLV_CONF).catch(() => RESOLV_CONF);
    for (const file of new Set([RESOLV_CONF, target])) this.#watch(file);
  }

  stop(): void {
    clearTimeout(this.#timer);
    for (const watcher of this.#watchers) watcher.close();
    this.#watchers = [];
  }

  #watch(file: string): void {
    try {
      const watcher = watch(dirname(file), { persistent: false }, (_event, name) => {
        if (name === null || name === basename(file)) this.#look();
      });
      watcher.on('error', () => watcher.close());
      this.#watchers.push(watcher);
    } catch (error) {
      // Without it, the settings are those of the worker's start.
      this.#log.warn('changes of the host resolver are not noticed', { error: messageOf(error) });
    }
  }

  #look(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(async () => {
      const now = await readHostResolver();
      if (JSON.stringify(now) === JSON.stringify(this.#current)) return;
      this.#current = now;
      this.#changed();
    }, SETTLE_MS);
    this.#timer.unref();
  }
}

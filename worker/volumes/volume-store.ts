// Named and anonymous volumes of this node with the local driver: a folder each, `<dataRoot>/volumes/<name>/_data`, and a small file about it.
// With options `type`, `device`, `o` the volume is a mount: a bind of a host folder is used as it is, anything else is mounted at first use.
// Refuses other drivers by name. A volume in use cannot be removed. A kill never leaves half a volume: one that is being removed has lost its name first, and
// a folder without its file is taken away when it is empty and kept as a plain volume when it is not.
import { execFile } from 'node:child_process';
import { readdir, rename, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { TswarmError } from '#protocol/errors';
import { hex } from '#protocol/ids';
import type { Clock, Random } from '#protocol/world';
import {
  diskError,
  makeFolder,
  readJsonFile,
  removeTree,
  syncFolder,
  writeFileAtomic,
} from '../files.ts';
import type { EventSink } from '../images/types.ts';
import { Lock } from '../queue.ts';

const run = promisify(execFile);

export interface VolumeRecord {
  readonly version: 1;
  readonly name: string;
  /** Microseconds since 1970. */
  readonly createdAt: number;
  readonly labels: Readonly<Record<string, string>> | null;
  readonly options: Readonly<Record<string, string>> | null;
  readonly anonymous: boolean;
}

export interface NewVolume {
  /** '' = anonymous. */
  readonly name: string;
  readonly driver: string;
  readonly labels: Readonly<Record<string, string>> | null;
  readonly options: Readonly<Record<string, string>> | null;
  /** Told the name of an anonymous volume before it is made. */
  readonly announce?: (name: string) => Promise<void>;
}

export interface VolumeDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly events: EventSink;
  /** Ids of the containers that refer to the volume. */
  usersOf(name: string): readonly string[];
}

const NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/;
/** Before the folder of a volume that is being removed; no volume's name begins so. */
const GONE = '.gone-';
const OPTION_KEYS: ReadonlySet<string> = new Set(['type', 'device', 'o', 'size']);

export class VolumeStore {
  readonly #root: string;
  readonly #deps: VolumeDeps;
  readonly #volumes = new Map<string, VolumeRecord>();
  readonly #lock = new Lock();
  readonly #mounted = new Set<string>();

  /** `root`: absolute, `<dataRoot>/volumes`. */
  constructor(root: string, deps: VolumeDeps) {
    this.#root = root;
    this.#deps = deps;
  }

  /** Reads what is on disk. */
  async start(): Promise<void> {
    await makeFolder(this.#root, 0o711);
    for (const name of await readdir(this.#root)) {
      if (name.startsWith(GONE)) {
        await removeTree(join(this.#root, name));
        continue;
      }
      const path = join(this.#root, name, 'volume.json');
      const record = (await readJsonFile(path)) as VolumeRecord | undefined;
      if (record?.version === 1 && record.name === name) this.#volumes.set(name, record);
      else if (NAME.test(name)) await this.#recover(name);
    }
  }

  /** A folder whose file was never written, or was lost with the power. */
  async #recover(name: string): Promise<void> {
    if (await this.isEmpty(name, [])) {
      await removeTree(join(this.#root, name));
      return;
    }
    const record: VolumeRecord = {
      version: 1,
      name,
      createdAt: Math.floor(this.#deps.clock.nowMs() * 1000),
      labels: null,
      options: null,
      anonymous: /^[0-9a-f]{64}$/.test(name),
    };
    await this.#write(record);
    this.#volumes.set(name, record);
  }

  /** What is in a volume may be dear: its file is on the disk before it is used. */
  async #write(record: VolumeRecord): Promise<void> {
    const path = join(this.#root, record.name, 'volume.json');
    await writeFileAtomic(path, JSON.stringify(record), { sync: true });
    await syncFolder(this.#root);
  }

  get(name: string): VolumeRecord | undefined {
    return this.#volumes.get(name);
  }

  /** Sorted by name. */
  list(): readonly VolumeRecord[] {
    return [...this.#volumes.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** What inspect calls the mountpoint. */
  mountpoint(name: string): string {
    return join(this.#root, name, '_data');
  }

  usersOf(name: string): readonly string[] {
    return this.#deps.usersOf(name);
  }

  /** The volume of this name, made when it is not there. @throws conflict when it exists with other options */
  create(wanted: NewVolume): Promise<VolumeRecord> {
    return this.#lock.run(() => this.#create(wanted));
  }

  async #create(wanted: NewVolume): Promise<VolumeRecord> {
    if (wanted.driver !== '' && wanted.driver !== 'local') {
      const { name, driver } = wanted;
      const looked = `create ${name}: error looking up volume plugin ${driver}`;
      throw new TswarmError('not_found', `${looked}: plugin "${driver}" not found`, {
        field: 'Driver',
        hint: 'Volumes are kept by the local driver.',
      });
    }
    const anonymous = wanted.name === '';
    const name = anonymous ? hex(this.#deps.random.bytes(32)) : wanted.name;
    checkName(name);
    const options = emptyToNull(wanted.options);
    checkOptions(name, options);
    const existing = this.#volumes.get(name);
    if (existing) {
      if (options !== null && !sameOptions(options, existing.options)) {
        throw new TswarmError(
          'conflict',
          `volume "${name}" already exists with other options; remove it first (docker volume rm ${name})`,
          { field: 'DriverOpts' },
        );
      }
      return existing;
    }
    const record: VolumeRecord = {
      version: 1,
      name,
      createdAt: Math.floor(this.#deps.clock.nowMs() * 1000),
      labels: emptyToNull(wanted.labels),
      options,
      anonymous,
    };
    if (anonymous) await wanted.announce?.(name);
    try {
      await makeFolder(this.mountpoint(name), 0o755);
      await this.#write(record);
    } catch (error) {
      // What somebody has put there by hand stays.
      if (await this.isEmpty(name, [])) await removeTree(join(this.#root, name));
      throw diskError(error, `create ${name}`);
    }
    this.#volumes.set(name, record);
    this.#emit('create', name);
    return record;
  }

  /** The host path to bind into containers; mounts the volume when it is a mount. @throws not_found, failed_precondition */
  async use(name: string): Promise<string> {
    const volume = this.#volumes.get(name);
    if (!volume) throw new TswarmError('not_found', `get ${name}: no such volume`);
    const options = volume.options;
    if (options === null) {
      // A folder that somebody removed by hand would come back as a root-owned bind source; make it as `create` does.
      await makeFolder(this.mountpoint(name), 0o755);
      return this.mountpoint(name);
    }
    const flags = (options.o ?? '').split(',').filter((flag) => flag !== '');
    if (flags.includes('bind') || flags.includes('rbind')) {
      return this.#bindSource(volume, options.device ?? '');
    }
    await this.#lock.run(() => this.#mount(name, options));
    return this.mountpoint(name);
  }

  async #bindSource(volume: VolumeRecord, device: string): Promise<string> {
    const info = await stat(device).catch(() => undefined);
    if (!info) {
      throw new TswarmError(
        'failed_precondition',
        `error while mounting volume '${this.mountpoint(volume.name)}': failed to mount local volume: ` +
          `mount ${device}:${this.mountpoint(volume.name)}, flags: 0x1000: no such file or directory`,
        { hint: `Make the folder ${device} on this node.` },
      );
    }
    return device;
  }

  async #mount(name: string, options: Readonly<Record<string, string>>): Promise<void> {
    if (this.#mounted.has(name) || (await isMountpoint(this.mountpoint(name)))) {
      this.#mounted.add(name);
      return;
    }
    const flags = options.o ? ['-o', options.o] : [];
    const args = ['-t', options.type ?? 'none', ...flags, options.device ?? 'none'];
    await run('mount', [...args, this.mountpoint(name)], { env: MOUNT_ENV }).catch(
      (error: unknown) => {
        const text = (error as { stderr?: string }).stderr?.trim() ?? String(error);
        throw new TswarmError('failed_precondition', `volume "${name}": ${text}`, { cause: error });
      },
    );
    this.#mounted.add(name);
  }

  /** `exceptUser`: a container that is just being removed. @throws not_found, conflict "volume is in use - [ids]" */
  remove(name: string, force: boolean, exceptUser = ''): Promise<void> {
    return this.#lock.run(async () => {
      if (!this.#volumes.has(name)) {
        if (force) return;
        throw new TswarmError('not_found', `get ${name}: no such volume`);
      }
      const users = this.#deps.usersOf(name).filter((id) => id !== exceptUser);
      if (users.length > 0) {
        throw new TswarmError(
          'conflict',
          `remove ${name}: volume is in use - [${users.join(', ')}]`,
        );
      }
      if (await isMountpoint(this.mountpoint(name))) {
        await run('umount', [this.mountpoint(name)], { env: MOUNT_ENV });
      }
      this.#mounted.delete(name);
      const gone = join(this.#root, `${GONE}${hex(this.#deps.random.bytes(8))}`);
      await rename(join(this.#root, name), gone);
      // A volume that somebody was told is gone must not come back with the power.
      await syncFolder(this.#root);
      this.#volumes.delete(name);
      await removeTree(gone);
      this.#emit('destroy', name);
    });
  }

  /** True when nothing is in it yet: the first container fills it from its image. */
  async isEmpty(name: string, unreadable: readonly string[] = ['']): Promise<boolean> {
    const entries = await readdir(this.mountpoint(name)).catch(() => unreadable);
    return entries.length === 0;
  }

  emitMount(name: string, containerId: string, action: 'mount' | 'unmount'): void {
    this.#deps.events.emit({
      type: 'volume',
      action,
      actorId: name,
      attributes: { container: containerId, driver: 'local' },
    });
  }

  /** What a prune took away, in one event besides those of its volumes. */
  emitPrune(reclaimedBytes: number): void {
    this.#deps.events.emit({
      type: 'volume',
      action: 'prune',
      actorId: '',
      attributes: { reclaimed: String(reclaimedBytes) },
    });
  }

  #emit(action: string, name: string): void {
    this.#deps.events.emit({
      type: 'volume',
      action,
      actorId: name,
      attributes: { driver: 'local' },
    });
  }
}

const MOUNT_ENV = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' };

/** The folder is on another file system than its parent. */
async function isMountpoint(path: string): Promise<boolean> {
  const [self, parent] = await Promise.all([
    stat(path).catch(() => undefined),
    stat(join(path, '..')).catch(() => undefined),
  ]);
  return self !== undefined && parent !== undefined && self.dev !== parent.dev;
}

function checkName(name: string): void {
  if (NAME.test(name) && name.length <= 255) return;
  throw new TswarmError(
    'invalid_argument',
    `create ${name}: "${name}" includes invalid characters for a local volume name, only ` +
      '"[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, use absolute path',
    { field: 'Name' },
  );
}

function checkOptions(name: string, options: Readonly<Record<string, string>> | null): void {
  for (const key of Object.keys(options ?? {})) {
    if (OPTION_KEYS.has(key)) continue;
    throw new TswarmError('invalid_argument', `create ${name}: invalid option: "${key}"`, {
      field: 'DriverOpts',
    });
  }
  if (options?.device && !options.type) {
    throw new TswarmError('invalid_argument', `create ${name}: missing required option: "type"`, {
      field: 'DriverOpts',
    });
  }
  if (options && !options.device && options.type !== 'tmpfs') {
    throw new TswarmError('invalid_argument', `create ${name}: missing device in volume options`, {
      field: 'DriverOpts',
    });
  }
}

function emptyToNull(
  map: Readonly<Record<string, string>> | null,
): Readonly<Record<string, string>> | null {
  return map === null || Object.keys(map).length === 0 ? null : map;
}

function sameOptions(
  a: Readonly<Record<string, string>>,
  b: Readonly<Record<string, string>> | null,
): boolean {
  const other = b ?? {};
  const keys = Object.keys(a);
  return keys.length === Object.keys(other).length && keys.every((key) => a[key] === other[key]);
}

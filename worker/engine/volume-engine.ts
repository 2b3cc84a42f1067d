// The Engine API's volume calls on this node's volumes.
import type { EngineFilters, EngineJson, VolumeEngine } from '#protocol/engine';
import { checkFilters, matchesLabel } from '#protocol/engine-filters';
import { TswarmError } from '#protocol/errors';
import { folderBytes } from '../volumes/folder-bytes.ts';
import type { VolumeRecord, VolumeStore } from '../volumes/volume-store.ts';
import { Body } from './json.ts';

const LIST_NAMES: readonly string[] = ['dangling', 'driver', 'label', 'name'];
const PRUNE_NAMES: readonly string[] = ['label', 'label!', 'all'];

export class NodeVolumeEngine implements VolumeEngine {
  readonly #volumes: VolumeStore;

  constructor(volumes: VolumeStore) {
    this.#volumes = volumes;
  }

  async list(filters: EngineFilters): Promise<EngineJson> {
    checkFilters(filters, LIST_NAMES);
    const found = this.#volumes.list().filter((volume) => this.#matches(volume, filters));
    return { Volumes: found.map((volume) => this.#json(volume)), Warnings: null };
  }

  #matches(volume: VolumeRecord, filters: EngineFilters): boolean {
    return Object.entries(filters).every(([name, values]) => {
      if (values.length === 0) return true;
      switch (name) {
        case 'dangling': {
          const dangling = this.#volumes.usersOf(volume.name).length === 0;
          return values.some((value) => (value === 'true' || value === '1') === dangling);
        }
        case 'driver':
          return values.includes('local');
        case 'label':
          return values.every((value) => matchesLabel(volume.labels ?? {}, value));
        default:
          return values.some((value) => volume.name.includes(value));
      }
    });
  }

  #json(volume: VolumeRecord): EngineJson {
    return {
      CreatedAt: `${new Date(volume.createdAt / 1000).toISOString().slice(0, 19)}Z`,
      Driver: 'local',
      Labels: volume.labels,
      Mountpoint: this.#volumes.mountpoint(volume.name),
      Name: volume.name,
      Options: volume.options,
      Scope: 'local',
    };
  }

  async create(json: EngineJson): Promise<EngineJson> {
    const body = new Body(json, '');
    const volume = await this.#volumes.create({
      name: body.text('Name'),
      driver: body.text('Driver'),
      labels: body.textMap('Labels'),
      options: body.textMap('DriverOpts'),
    });
    return this.#json(volume);
  }

  async inspect(name: string): Promise<EngineJson> {
    const volume = this.#volumes.get(name);
    if (!volume) throw new TswarmError('not_found', `get ${name}: no such volume`);
    return this.#json(volume);
  }

  async remove(name: string, force: boolean): Promise<void> {
    await this.#volumes.remove(name, force);
  }

  /** Unused ones; only anonymous ones unless `all`. */
  async prune(filters: EngineFilters): Promise<EngineJson> {
    checkFilters(filters, PRUNE_NAMES);
    const all = (filters.all ?? []).some((value) => value === 'true' || value === '1');
    const deleted: string[] = [];
    let space = 0;
    for (const volume of this.#volumes.list()) {
      if (!all && !volume.anonymous) continue;
      if (this.#volumes.usersOf(volume.name).length > 0) continue;
      const labels = volume.labels ?? {};
      if (!(filters.label ?? []).every((value) => matchesLabel(labels, value))) continue;
      if ((filters['label!'] ?? []).some((value) => matchesLabel(labels, value))) continue;
      const bytes = await folderBytes(this.#volumes.mountpoint(volume.name));
      await this.#volumes.remove(volume.name, true);
      deleted.push(volume.name);
      space += bytes;
    }
    this.#volumes.emitPrune(space);
    return { VolumesDeleted: deleted.length > 0 ? deleted : null, SpaceReclaimed: space };
  }

  /** The `Volumes` of GET /system/df. */
  async usage(): Promise<readonly EngineJson[]> {
    return Promise.all(
      this.#volumes.list().map(async (volume) => ({
        ...this.#json(volume),
        UsageData: {
          RefCount: this.#volumes.usersOf(volume.name).length,
          Size: await folderBytes(this.#volumes.mountpoint(volume.name)),
        },
      })),
    );
  }
}

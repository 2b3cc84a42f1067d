// Removing names and images with Docker's rules and words (its daemon/images/image_delete.go): a
// name goes first; the image goes when nothing leads to it any more and no container stands on it;
// layers and archives go by garbage collection.
import type { EngineFilters, EngineJson } from '#protocol/engine';
import { checkFilters } from '#protocol/engine-filters';
import { hasCode, TswarmError } from '#protocol/errors';
import type { Clock } from '#protocol/world';
import type { Collector } from './collector.ts';
import { imageFilter, isDangling } from './describe.ts';
import { shortId } from './digest.ts';
import type { ImageDb, ImageEntry } from './image-db.ts';
import type { LayerStore } from './layer-store.ts';
import { familiarOf, fullName, parseReference } from './reference.ts';
import { needImage } from './resolve.ts';
import type { ContainerDirectory, ContainerInfo, EventSink } from './types.ts';

export interface RemoveDeps {
  readonly db: ImageDb;
  readonly layers: LayerStore;
  readonly collector: Collector;
  readonly containers: ContainerDirectory;
  readonly events: EventSink;
  readonly clock: Clock;
}

type Records = EngineJson[];

const PRUNE_FILTERS: readonly string[] = ['until', 'label', 'label!'];

/** DELETE /images/{name}: [{Untagged}…, {Deleted}…]. */
export async function removeImage(
  deps: RemoveDeps,
  ref: string,
  options: { readonly force: boolean; readonly noPrune: boolean },
): Promise<readonly EngineJson[]> {
  const { image, name } = needImage(deps.db, ref);
  const records: Records = [];
  if (name !== undefined) {
    await removeName(deps, image, name, ref, options.force, records);
    if ((deps.db.get(image.id)?.names.length ?? 0) > 0) return records;
  } else if (isSingle(image.names)) {
    checkUse(deps, image, options.force);
    await untag(deps, image, image.names, records);
  } else if (!options.force) {
    throw conflict(image, 'must be forced', 'image is referenced in multiple repositories');
  }
  // A container still uses it and the user took only a name away: the image stays, nameless.
  try {
    checkUse(deps, image, options.force);
  } catch (error) {
    if (name !== undefined && hasCode(error, 'conflict')) return records;
    throw error;
  }
  await drop(deps, image, records);
  return records;
}

/** POST /images/prune: {ImagesDeleted, SpaceReclaimed}. */
export async function pruneImages(deps: RemoveDeps, filters: EngineFilters): Promise<EngineJson> {
  const { dangling = ['true'], ...rest } = filters;
  const onlyDangling = !['0', 'false', 'f'].includes(dangling[0] ?? 'true');
  checkFilters(rest, PRUNE_FILTERS);
  const matches = imageFilter(deps.db, rest, deps.clock.nowMs());
  const used = new Set(deps.containers.list().map((container) => container.imageId));
  const records: Records = [];
  for (const image of [...deps.db.all()]) {
    const isWanted = !used.has(image.id) && matches(image) && (!onlyDangling || isDangling(image));
    if (!isWanted) continue;
    await untag(deps, image, image.names, records);
    await forget(deps, image, records);
  }
  const { freedBytes, chains } = await deps.collector.prune();
  records.push(...chains.map((chainId) => ({ Deleted: chainId })));
  deps.events.emit({
    type: 'image',
    action: 'prune',
    actorId: '',
    attributes: { reclaimed: String(freedBytes) },
  });
  return { ImagesDeleted: records.length > 0 ? records : null, SpaceReclaimed: freedBytes };
}

async function removeName(
  deps: RemoveDeps,
  image: ImageEntry,
  name: string,
  ref: string,
  force: boolean,
  records: Records,
): Promise<void> {
  const user = deps.containers.list().find((container) => container.imageId === image.id);
  if (!force && user !== undefined && isSingle(image.names)) {
    throw new TswarmError(
      'conflict',
      `conflict: unable to remove repository reference "${ref}" (must force) - container ${shortId(user.id)} is using its referenced image ${shortId(image.id)}`,
    );
  }
  const going = [name];
  const repository = fullName(parseReference(name));
  const others = image.names.filter(
    (other) => other !== name && fullName(parseReference(other)) === repository,
  );
  // With the last tag of a repository its digests go as well.
  const isTag = !name.includes('@');
  if (isTag && others.every((other) => other.includes('@'))) going.push(...others);
  await untag(deps, image, going, records);
}

async function untag(
  deps: RemoveDeps,
  image: ImageEntry,
  names: readonly string[],
  records: Records,
): Promise<void> {
  if (names.length === 0) return;
  await deps.db.change((draft) => {
    for (const name of names) draft.names.delete(name);
  });
  for (const name of names) records.push({ Untagged: familiarOf(name) });
  deps.events.emit({
    type: 'image',
    action: 'untag',
    actorId: image.id,
    attributes: { name: image.id },
  });
}

async function drop(deps: RemoveDeps, image: ImageEntry, records: Records): Promise<void> {
  await untag(deps, image, deps.db.get(image.id)?.names ?? [], records);
  await forget(deps, image, records);
  const { chains } = await deps.collector.collect();
  records.push(...chains.map((chainId) => ({ Deleted: chainId })));
}

async function forget(deps: RemoveDeps, image: ImageEntry, records: Records): Promise<void> {
  await deps.db.change((draft) => void draft.images.delete(image.id));
  records.push({ Deleted: image.id });
  deps.events.emit({
    type: 'image',
    action: 'delete',
    actorId: image.id,
    attributes: { name: image.id },
  });
}

/** Running containers always keep their image; stopped ones unless forced. */
function checkUse(deps: RemoveDeps, image: ImageEntry, force: boolean): void {
  const users = deps.containers.list().filter((container) => container.imageId === image.id);
  const running = users.find((container) => container.running);
  if (running !== undefined) {
    throw conflict(image, 'cannot be forced', usedBy('running', running));
  }
  const [stopped] = users;
  if (stopped !== undefined && !force) {
    throw conflict(image, 'must be forced', usedBy('stopped', stopped));
  }
}

function usedBy(state: string, container: ContainerInfo): string {
  return `image is being used by ${state} container ${shortId(container.id)}`;
}

function conflict(image: ImageEntry, force: string, why: string): TswarmError {
  return new TswarmError(
    'conflict',
    `conflict: unable to delete ${shortId(image.id)} (${force}) - ${why}`,
  );
}

/** At most one tag, and all in one repository. */
function isSingle(names: readonly string[]): boolean {
  const refs = names.map(parseReference);
  const tags = refs.filter((ref) => ref.digest === undefined).length;
  const repositories = new Set(refs.map(fullName));
  return repositories.size <= 1 && tags <= 1;
}

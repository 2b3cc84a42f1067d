// Generic resources: things that a node has besides cpu and memory, either named (GPU=uuid1, GPU=uuid2) or counted (SSD=3). A request for a
// number of a kind is met by that many free names or by the count; a request for a name by that name alone (swarmkit api/genericresource).
// Invariant: what is claimed here is free on the node; a name is given to one task at a time.
import { GenericResource } from '#protocol/generated/specs';

/** Kinds and names in use on a node: "GPU=uuid1" → 1, "SSD" → 3. */
export type TakenResources = Map<string, number>;

/** Counts what a task holds; `sign` -1 gives it back. */
export function takeGeneric(
  taken: TakenResources,
  held: readonly GenericResource[],
  sign: 1 | -1,
): void {
  for (const { namedResourceSpec: named, discreteResourceSpec: discrete } of held) {
    if (named) bump(taken, `${named.kind}=${named.value}`, sign);
    if (discrete) bump(taken, discrete.kind, sign * discrete.value);
  }
}

/** What of the node would meet the requests; undefined = there is not enough. */
export function claimGeneric(
  has: readonly GenericResource[],
  taken: ReadonlyMap<string, number>,
  requests: readonly GenericResource[],
): GenericResource[] | undefined {
  const claimed: GenericResource[] = [];
  const now: TakenResources = new Map(taken);
  for (const request of requests) {
    const part = claimOne(has, now, request);
    if (!part) return undefined;
    takeGeneric(now, part, 1);
    claimed.push(...part);
  }
  return claimed;
}

function claimOne(
  has: readonly GenericResource[],
  taken: ReadonlyMap<string, number>,
  { namedResourceSpec: named, discreteResourceSpec: discrete }: GenericResource,
): GenericResource[] | undefined {
  if (named) {
    const free = freeNames(has, taken, named.kind).includes(named.value);
    return free ? [GenericResource.create({ namedResourceSpec: named })] : undefined;
  }
  const kind = discrete?.kind ?? '';
  const wanted = discrete?.value ?? 0;
  const names = freeNames(has, taken, kind).slice(0, wanted);
  if (names.length === wanted) {
    return names.map((value) => GenericResource.create({ namedResourceSpec: { kind, value } }));
  }
  if (freeCount(has, taken, kind) < wanted) return undefined;
  return [GenericResource.create({ discreteResourceSpec: { kind, value: wanted } })];
}

function freeNames(
  has: readonly GenericResource[],
  taken: ReadonlyMap<string, number>,
  kind: string,
): string[] {
  const names: string[] = [];
  for (const { namedResourceSpec: named } of has) {
    if (named?.kind === kind && !taken.has(`${kind}=${named.value}`)) names.push(named.value);
  }
  return names;
}

function freeCount(
  has: readonly GenericResource[],
  taken: ReadonlyMap<string, number>,
  kind: string,
): number {
  let total = 0;
  for (const { discreteResourceSpec: discrete } of has) {
    if (discrete?.kind === kind) total += discrete.value;
  }
  return total - (taken.get(kind) ?? 0);
}

/** For people: "GPU=2, SSD=1". */
export function genericText(requests: readonly GenericResource[]): string {
  return requests
    .map(({ namedResourceSpec: named, discreteResourceSpec: discrete }) =>
      named ? `${named.kind}=${named.value}` : `${discrete?.kind ?? ''}=${discrete?.value ?? 0}`,
    )
    .join(', ');
}

function bump(map: Map<string, number>, key: string, by: number): void {
  const value = (map.get(key) ?? 0) + by;
  if (value <= 0) map.delete(key);
  else map.set(key, value);
}

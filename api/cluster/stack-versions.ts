// What a stack was before: no list of deployments is kept, but each service keeps the specifications that were replaced, and when. A version is a moment at which
// one or several of them were; the stack as it was until then is each service with the specification that it had. Refuses to guess: a moment before which a
// service's specification is not kept any more is no version. Pure.
import type { Service } from '#protocol/generated/objects';
import type { ServiceSpec } from '#protocol/generated/specs';

export interface Replacement {
  readonly service: string;
  /** References of images, of the specification that was replaced and of the one that took its place. */
  readonly imageBefore: string;
  readonly imageAfter: string;
}

export interface VersionOfStack {
  /** Microseconds since 1970: the stack was like this until then. */
  readonly until: number;
  readonly replaced: readonly Replacement[];
}

/** The kept versions of these services together, newest first. */
export function versionsOf(services: readonly Service[]): readonly VersionOfStack[] {
  const known = Math.max(0, ...services.map(knownFrom));
  const moments = new Set(
    services.flatMap((service) => service.revisions.map(({ replacedAt }) => replacedAt)),
  );
  return [...moments]
    .filter((moment) => moment >= known)
    .sort((a, b) => b - a)
    .map((until) => ({ until, replaced: services.flatMap((one) => replacementsAt(one, until)) }));
}

/** The oldest moment at which the specification before it is kept: services forget the oldest ones. */
function knownFrom({ revisions }: Service): number {
  const oldest = revisions.at(-1);
  return oldest && oldest.revision > 0 ? oldest.replacedAt : 0;
}

function replacementsAt(service: Service, moment: number): readonly Replacement[] {
  const { revisions, spec } = service;
  return revisions.flatMap(({ replacedAt, spec: before }, i) => {
    if (replacedAt !== moment) return [];
    const after = revisions[i - 1]?.spec ?? spec;
    return [
      {
        service: spec?.name ?? '',
        imageBefore: imageOf(before),
        imageAfter: imageOf(after),
      },
    ];
  });
}

function imageOf(spec: ServiceSpec | undefined): string {
  return spec?.taskTemplate?.containerSpec?.image ?? '';
}

/** A service's specification until a moment; undefined when it was made later. */
export function specUntil(service: Service, moment: number): ServiceSpec | undefined {
  if ((service.meta?.createdAt ?? 0) >= moment) return undefined;
  // Newest first: the last one that was replaced at that moment or later.
  return service.revisions.findLast(({ replacedAt }) => replacedAt >= moment)?.spec ?? service.spec;
}

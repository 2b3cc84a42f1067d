// The history of a service's specification: what was replaced is kept, with a number, to roll back to. One level (`previousSpec`) is what Swarm has
// and its clients show; the list is for `tswarm service rollback --to`.
import { ServiceRevision } from '#protocol/generated/objects';
import { REVISIONS_MAX } from './limits.ts';
import type { Service, ServiceSpec } from './types.ts';

/** What of a service changes when `spec` replaces its present one. */
export function replacedSpec(
  service: Service,
  spec: ServiceSpec,
  nowMicros: number,
): Pick<Service, 'spec' | 'previousSpec' | 'revisions' | 'revision'> {
  const revision = ServiceRevision.create({
    revision: service.revision,
    replacedAt: nowMicros,
    spec: service.spec,
  });
  return {
    spec,
    previousSpec: service.spec,
    revisions: [revision, ...service.revisions].slice(0, REVISIONS_MAX),
    revision: service.revision + 1,
  };
}

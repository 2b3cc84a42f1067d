// What a stack was before, from what its services keep: against a log of all that was ever deployed.

import { describe, expect, it } from 'vitest';
import { specUntil, versionsOf } from '#api/cluster/stack-versions';
import { replacedSpec } from '#manager/orchestrator/revisions';
import { Service } from '#protocol/generated/objects';
import { ContainerSpec, ServiceSpec, TaskSpec } from '#protocol/generated/specs';

const CREATED = 1_000;
/** As in manager/orchestrator. */
const KEPT = 10;

function spec(name: string, image: string): ServiceSpec {
  const containerSpec = ContainerSpec.create({ image });
  return ServiceSpec.create({ name, taskTemplate: TaskSpec.create({ containerSpec }) });
}

function service(name: string, createdAt = CREATED): Service {
  const meta = { version: { index: 1 }, createdAt, updatedAt: createdAt };
  return Service.create({ id: `id-${name}`, meta, spec: spec(name, `${name}:0`) });
}

function changed(one: Service, image: string, moment: number): Service {
  const name = one.spec?.name ?? '';
  return Service.create({ ...one, ...replacedSpec(one, spec(name, image), moment) });
}

const imageUntil = (one: Service, moment: number): string | undefined =>
  specUntil(one, moment)?.taskTemplate?.containerSpec?.image;

describe('versions of a stack', () => {
  it('there is none before anything was changed', () => {
    expect(versionsOf([])).toEqual([]);
    expect(versionsOf([service('web'), service('api')])).toEqual([]);
  });

  it('what was changed at once is one version, newest first', () => {
    const web = changed(changed(service('web'), 'web:1', 2_000), 'web:2', 3_000);
    const api = changed(service('api'), 'api:1', 3_000);
    expect(versionsOf([web, api])).toEqual([
      {
        until: 3_000,
        replaced: [
          { service: 'web', imageBefore: 'web:1', imageAfter: 'web:2' },
          { service: 'api', imageBefore: 'api:0', imageAfter: 'api:1' },
        ],
      },
      {
        until: 2_000,
        replaced: [{ service: 'web', imageBefore: 'web:0', imageAfter: 'web:1' }],
      },
    ]);
    expect([imageUntil(web, 3_000), imageUntil(api, 3_000)]).toEqual(['web:1', 'api:0']);
    expect([imageUntil(web, 2_000), imageUntil(api, 2_000)]).toEqual(['web:0', 'api:0']);
  });

  it('a service that was made later was not there', () => {
    const late = changed(service('late', 2_500), 'late:1', 4_000);
    expect(imageUntil(late, 2_000)).toBeUndefined();
    expect(imageUntil(late, 2_500)).toBeUndefined();
    expect(imageUntil(late, 4_000)).toBe('late:0');
    expect(imageUntil(late, 9_000)).toBe('late:1');
  });

  it('what a service has forgotten is no version, and every version is what was deployed', () => {
    const names = ['a', 'b', 'c'];
    let services = names.map((name) => service(name));
    /** Images of all services behind each change, and the change that was made first. */
    const log: { readonly moment: number; readonly before: readonly string[] }[] = [];
    const images = (): string[] =>
      services.map((one) => one.spec?.taskTemplate?.containerSpec?.image ?? '');
    for (let i = 1; i <= 40; i++) {
      const moment = CREATED + i * 10;
      log.push({ moment, before: images() });
      // b seldom, c every time.
      const isChanged = [i % 2 === 0, i % 17 === 0, true];
      services = services.map((one, n) =>
        isChanged[n] ? changed(one, `${names[n]}:${i}`, moment) : one,
      );
    }
    const versions = versionsOf(services);
    expect(versions.length).toBe(KEPT);
    for (const { until } of versions) {
      const before = log.find(({ moment }) => moment === until)?.before;
      expect(services.map((one) => imageUntil(one, until))).toEqual(before);
    }
  });
});

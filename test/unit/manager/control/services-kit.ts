// What the tests of services share: making and changing them through the control functions, as an administrator does.
import { createObject, updateObject } from '#manager/control/objects';
import {
  CreateObjectRequest,
  ObjectKind,
  SpecUnion,
  UpdateObjectRequest,
} from '#protocol/generated/control';
import type { Service } from '#protocol/generated/objects';
import { EndpointSpec, PortConfig, PublishMode, ServiceSpec } from '#protocol/generated/specs';
import type { TestCluster } from '../support/cluster-state.ts';
import { template } from '../support/objects.ts';
import { testWorld } from '../support/world.ts';

/** A service that runs busybox unless `over` says otherwise. */
export const spec = (name: string, over: Partial<ServiceSpec> = {}): ServiceSpec =>
  ServiceSpec.create({ name, taskTemplate: template({}), ...over });

/** Creates an object as the control API does. @returns its id */
export function make(c: TestCluster, specs: Partial<SpecUnion>): string {
  const request = CreateObjectRequest.create({ spec: SpecUnion.create(specs) });
  return c.run((tx, context) => createObject(tx, context, request)).id;
}

export const makeService = (c: TestCluster, service: ServiceSpec): string => make(c, { service });
export const get = (c: TestCluster, id: string): Service =>
  c.store.view.get('service', id) as Service;

/** Updates a service at its present version. */
export function update(
  c: TestCluster,
  id: string,
  service: ServiceSpec | undefined,
  over: Partial<UpdateObjectRequest> = {},
): void {
  const version = get(c, id).meta?.version?.index ?? 0;
  const request = UpdateObjectRequest.create({
    kind: ObjectKind.SERVICE,
    id,
    version,
    spec: SpecUnion.create({ service }),
    ...over,
  });
  c.run((tx, context) => updateObject(tx, context, request, testWorld()));
}

export const port = (publishedPort: number, over: Partial<PortConfig> = {}): EndpointSpec =>
  EndpointSpec.create({ ports: [PortConfig.create({ publishedPort, targetPort: 80, ...over })] });
export const HOST = { publishMode: PublishMode.HOST };

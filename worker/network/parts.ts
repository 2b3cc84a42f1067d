// Remembers what each service and each container contributes to rules and names, so that a change costs what changed and not what there is: with some
// hundred services, computing everything anew takes longer than all of the kernel's work for a container. Pure: the same answers as without it.
import type { EndpointBackend, ServiceEndpoints } from '#protocol/generated/dispatcher';
import type { LocalContainer } from './desired-rules.ts';

export interface Door {
  readonly v4: string;
  readonly v6: string;
  /** By which the programs of that host call. */
  readonly hostAddresses: readonly string[];
}
export type Doors = ReadonlyMap<string, Door>;
export const NO_DOORS: Doors = new Map();

/** What a service's part depends on besides the service. */
export interface ServiceContext<C extends LocalContainer> {
  readonly nodeId: string;
  /** node id → where its published ports are reached. The same object as long as it says the same. */
  readonly doors: Doors;
  /** task id → its container here */
  readonly byTask: ReadonlyMap<string, C>;
}

interface Remembered<C, P> {
  readonly nodeId: string;
  readonly doors: Doors;
  /** The containers here of its backends, in their order. */
  readonly locals: readonly (C | undefined)[];
  readonly part: P;
}

/** Objects are compared by identity: neither services nor containers are ever changed, only replaced. */
export class ServiceParts<C extends LocalContainer, P> {
  readonly #make: (
    service: ServiceEndpoints,
    serving: readonly EndpointBackend[],
    context: ServiceContext<C>,
  ) => P;
  readonly #parts = new WeakMap<ServiceEndpoints, Remembered<C, P>>();

  constructor(
    make: (
      service: ServiceEndpoints,
      serving: readonly EndpointBackend[],
      context: ServiceContext<C>,
    ) => P,
  ) {
    this.#make = make;
  }

  of(service: ServiceEndpoints, context: ServiceContext<C>): P {
    const { nodeId, byTask, doors } = context;
    const known = this.#parts.get(service);
    const isCurrent =
      known?.nodeId === nodeId &&
      known.doors === doors &&
      service.backends.every((backend, i) => byTask.get(backend.taskId) === known.locals[i]);
    if (known && isCurrent) return known.part;
    const locals = service.backends.map((backend) => byTask.get(backend.taskId));
    const part = this.#make(service, servingBackends(service, context), context);
    this.#parts.set(service, { nodeId, doors, locals, part });
    return part;
  }
}

export class ContainerParts<C extends LocalContainer, P> {
  readonly #make: (container: C) => P;
  readonly #parts = new WeakMap<C, P>();

  constructor(make: (container: C) => P) {
    this.#make = make;
  }

  of(container: C): P {
    const known = this.#parts.get(container);
    if (known !== undefined) return known;
    const part = this.#make(container);
    this.#parts.set(container, part);
    return part;
  }
}

/** task id → its container here */
export function localTasks<C extends LocalContainer>(
  containers: readonly C[],
): ReadonlyMap<string, C> {
  return new Map(containers.filter((c) => c.taskId !== '').map((c) => [c.taskId, c]));
}

/**
 * The backends that may be given work. For tasks elsewhere the managers' word counts. For a task of this node only the node itself knows: a crash here is followed at
 * once, and a task that has become healthy takes connections before any other node can have heard of it and sends some.
 */
export function servingBackends<C extends LocalContainer>(
  service: ServiceEndpoints,
  { nodeId, byTask }: Pick<ServiceContext<C>, 'nodeId' | 'byTask'>,
): readonly EndpointBackend[] {
  return service.backends.filter((backend) =>
    nodeId !== '' && backend.nodeId === nodeId
      ? byTask.get(backend.taskId)?.serving === true
      : backend.serving,
  );
}

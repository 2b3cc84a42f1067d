// What a node was given besides tasks: secrets, configs, volumes, networks, the endpoints of services and other nodes. Written down (assigned-store.ts), made
// (volumes) or put into the kernel (the network). A failed write is logged and does not stop the others: memory stays right, and the managers
// send it again to the worker's next life. Refuses to decide which task may start: that is the agent's part, which is told what is present.

import { messageOf } from '#protocol/errors';
import type { Assignment } from '#protocol/generated/dispatcher';
import type { Volume } from '#protocol/generated/objects';
import type { Log } from '#protocol/world';
import type { AssignedStore } from './assigned-store.ts';
import type { NetworkManager } from './network/types.ts';
import type { VolumeStore } from './volumes/volume-store.ts';

export interface AssignedThingsDeps {
  readonly log: Log;
  readonly network: NetworkManager;
  readonly volumes: VolumeStore;
  readonly store: AssignedStore;
}

export class AssignedThings {
  readonly #nodeId: string;
  readonly #deps: AssignedThingsDeps;
  #networksKnown: Promise<void> = Promise.resolve();

  constructor(nodeId: string, deps: AssignedThingsDeps) {
    this.#nodeId = nodeId;
    this.#deps = deps;
  }

  /** Resolves when the kernel has the newest picture of the networks, or it has failed. */
  get networksKnown(): Promise<void> {
    return this.#networksKnown;
  }

  /** From disk: the worker before may have been killed before it had made them. */
  restore(): void {
    const { volumes, networks } = this.#deps.store;
    for (const volume of volumes.objects.values()) this.#makeVolume(volume);
    if (networks.objects.size > 0) this.applyNetworks([]);
  }

  /** `isComplete`: what is not among them is not wanted any more. */
  keep(things: readonly Assignment[], isComplete: boolean): void {
    for (const thing of things) this.#keepOne(thing);
    if (isComplete) this.#keepOnly(things);
  }

  /** After the tasks that used them were told to go. */
  drop(removed: readonly Assignment[]): void {
    for (const thing of removed) this.#dropOne(thing);
  }

  /**
   * Gives the network the whole new picture; `done` once it is in the kernel. A network whose tasks are only now being removed goes with
   * the next one.
   */
  applyNetworks(removed: readonly Assignment[], done: () => void = () => {}): void {
    const { store, network } = this.#deps;
    for (const thing of removed) {
      if (thing.network) this.#background('network', store.networks.delete(thing.network.id));
      if (thing.endpoints) {
        this.#background('endpoints', store.endpoints.delete(thing.endpoints.serviceId));
      }
      if (thing.peer) this.#background('peer', store.peers.delete(thing.peer.nodeId));
    }
    const applied = network.setState({
      nodeId: this.#nodeId,
      networks: [...store.networks.objects.values()],
      endpoints: [...store.endpoints.objects.values()],
      peers: [...store.peers.objects.values()],
    });
    this.#networksKnown = applied.catch(() => undefined);
    applied.then(done, (error: unknown) =>
      this.#deps.log.error('networks not applied', { reason: messageOf(error) }),
    );
  }

  #keepOne(thing: Assignment): void {
    const { store } = this.#deps;
    if (thing.secret) this.#background('secret', store.setSecret(thing.secret));
    else if (thing.config) this.#background('config', store.configs.set(thing.config));
    else if (thing.network) this.#background('network', store.networks.set(thing.network));
    else if (thing.endpoints) this.#background('endpoints', store.endpoints.set(thing.endpoints));
    else if (thing.peer) this.#background('peer', store.peers.set(thing.peer));
    else if (thing.volume) {
      this.#background('volume', store.volumes.set(thing.volume));
      this.#makeVolume(thing.volume);
    }
  }

  /** Asked for before any container that uses it, which would make a plain one. */
  #makeVolume({ spec }: Volume): void {
    if (!spec) return;
    const { name, driver, labels } = spec;
    const wanted = { name, driver: driver?.name ?? '', labels, options: driver?.options ?? null };
    this.#background('volume', this.#deps.volumes.create(wanted));
  }

  #keepOnly(things: readonly Assignment[]): void {
    const { store } = this.#deps;
    const ids = (of: (thing: Assignment) => string | undefined): ReadonlySet<string> =>
      new Set(things.map(of).filter((id) => id !== undefined));
    this.#background('secret', store.keepOnlySecrets(ids((thing) => thing.secret?.id)));
    this.#background('config', store.configs.keepOnly(ids((thing) => thing.config?.id)));
    this.#background('network', store.networks.keepOnly(ids((thing) => thing.network?.id)));
    this.#background('peer', store.peers.keepOnly(ids((thing) => thing.peer?.nodeId)));
    this.#background('volume', store.volumes.keepOnly(ids((thing) => thing.volume?.id)));
    this.#background(
      'endpoints',
      store.endpoints.keepOnly(ids((thing) => thing.endpoints?.serviceId)),
    );
  }

  #dropOne(thing: Assignment): void {
    const { store } = this.#deps;
    if (thing.secret) this.#background('secret', store.deleteSecret(thing.secret.id));
    else if (thing.config) this.#background('config', store.configs.delete(thing.config.id));
    else if (thing.volume) this.#background('volume', store.volumes.delete(thing.volume.id));
  }

  /** For writes that nobody waits for: a failure is logged, memory stays right. */
  #background(what: string, work: Promise<unknown>): void {
    work.catch((error: unknown) => {
      this.#deps.log.error('not written', { what, reason: messageOf(error) });
    });
  }
}

/** Whether the network has to know of it. */
export function isNetworkPart({ network, endpoints, peer }: Assignment): boolean {
  return network !== undefined || endpoints !== undefined || peer !== undefined;
}

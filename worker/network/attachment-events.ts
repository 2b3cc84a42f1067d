// Tells of containers that came onto a network and went off it as they started and ended, in the words of the Engine API: `connect` and `disconnect` of
// the network, one for each. What is connected by hand while a container runs is told by local-network-api.ts.
import type { LocalNetworks } from './local-networks.ts';
import type { AttachedEndpoint, AttachRequest, NetworkDeps } from './types.ts';

/** What Swarm calls the networks that come from the managers. */
export const CLUSTER_DRIVER = 'overlay';

/** What events say of a network. */
export interface NamedNetwork {
  readonly id: string;
  readonly name: string;
  readonly driver: string;
}

export class AttachmentEvents {
  readonly #sink: NetworkDeps['events'];
  readonly #local: Pick<LocalNetworks, 'find'>;

  constructor(sink: NetworkDeps['events'], local: Pick<LocalNetworks, 'find'>) {
    this.#sink = sink;
    this.#local = local;
  }

  /** Of each network that a container is on; `host` and `none` are networks as well to clients. */
  tell(
    action: 'connect' | 'disconnect',
    containerId: string,
    mode: AttachRequest['mode'],
    endpoints: readonly AttachedEndpoint[],
  ): void {
    const networks = mode === 'networks' ? endpoints.map((one) => this.#networkOf(one)) : [];
    const predefined = mode === 'networks' ? undefined : this.#local.find(mode);
    for (const { id, name, driver } of predefined ? [predefined] : networks) {
      const attributes = { container: containerId, name, type: driver };
      this.#sink.emit({ type: 'network', action, actorId: id, attributes });
    }
  }

  #networkOf({ networkId, networkName }: AttachedEndpoint): NamedNetwork {
    const driver = this.#local.find(networkId)?.driver ?? CLUSTER_DRIVER;
    return { id: networkId, name: networkName, driver };
  }
}

// WireGuard in the kernel, configured over generic netlink by the network helper.
import type { NetHelper } from '../net-helper.ts';
import type { DeviceChange, DevicePeer, DeviceState, WireguardDevice } from './wireguard.ts';

/** As tswarm-net answers `wireguard-get`. */
interface Answer {
  readonly publicKey: string;
  readonly listenPort: number;
  readonly peers: readonly (DevicePeer & { readonly publicKey: string })[];
}

export class KernelDevice implements WireguardDevice {
  readonly #helper: NetHelper;
  readonly #link: string;

  constructor(helper: NetHelper, link: string) {
    this.#helper = helper;
    this.#link = link;
  }

  /** False when the interface belongs to a wireguard-go from before the kernel could do it. */
  isOurs(): Promise<boolean> {
    return this.read().then(
      () => true,
      () => false,
    );
  }

  async read(): Promise<DeviceState> {
    const answer = (await this.#helper.wireguardGet(this.#link)) as unknown as Answer;
    const peers = new Map<string, DevicePeer>();
    for (const { publicKey, ...peer } of answer.peers) {
      // A long list of addresses comes in several parts.
      const former = peers.get(publicKey)?.allowedIps ?? [];
      peers.set(publicKey, { ...peer, allowedIps: [...former, ...peer.allowedIps] });
    }
    return { publicKey: answer.publicKey, listenPort: answer.listenPort, peers };
  }

  async write(change: DeviceChange): Promise<void> {
    await this.#helper.wireguardSet(this.#link, change);
  }
}

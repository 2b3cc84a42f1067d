// A hand-written stand-in for the network, for tests of what stands on it: every container shares the host's. Keeps the promises of
// worker/network/types.ts as far as the runtime looks.
import type {
  AttachRequest,
  AttachResult,
  DesiredNetworkState,
  NetworkManager,
} from '#worker/network/types';

/** Every container is in the host's network namespace; calls are written down. */
export class HostNetwork implements NetworkManager {
  readonly attached = new Map<string, AttachRequest>();
  readonly states: DesiredNetworkState[] = [];

  async setState(desired: DesiredNetworkState): Promise<void> {
    this.states.push(desired);
  }

  async attach(containerId: string, request: AttachRequest): Promise<AttachResult> {
    this.attached.set(containerId, request);
    return this.#result(request);
  }

  async detach(containerId: string): Promise<void> {
    this.attached.delete(containerId);
  }

  stateOf(containerId: string): AttachResult | undefined {
    const request = this.attached.get(containerId);
    return request ? this.#result(request) : undefined;
  }

  async setServing(): Promise<void> {}

  places(): readonly [] {
    return [];
  }

  async renamePlace(): Promise<void> {}

  async restore(): Promise<void> {}

  async interfaceStats(): Promise<Record<string, never>> {
    return {};
  }

  #result(request: AttachRequest): AttachResult {
    return {
      netnsPath: '',
      resolvConf: 'nameserver 127.0.0.11\n',
      hostGateway: '192.0.2.1',
      endpoints: [],
      portStatus: request.ports,
      ingressPorts: [],
    };
  }
}

// The way from this host to its manager: one gRPC channel with the administrator's certificate, the control client on it, and the watch cache that the
// gateway reads from.
import type { Duplex } from 'node:stream';
import type { Client as Channel } from '@grpc/grpc-js';
import { ObjectCache } from '#api/cache/object-cache';
import type { ControlClient } from '#api/control';
import type { ClusterSession } from '#api/node-control';
import { MANAGER_NAME } from '#protocol/certificates';
import { ControlService } from '#protocol/generated/control';
import { ReachService } from '#protocol/generated/reach';
import { clientOf, connectChannel, type TlsIdentity } from '#protocol/transport/grpc';
import { openTunnel } from '#protocol/transport/tunnel';
import type { Log } from '#protocol/world';

export class ClusterLink implements ClusterSession {
  readonly cache: ObjectCache;
  readonly control: ControlClient = clientOf(ControlService, () => this.#channel);
  #channel: Channel;

  constructor(address: string, identity: TlsIdentity, log: Log) {
    this.#channel = connectChannel(address, identity, MANAGER_NAME);
    this.cache = new ObjectCache(() => this.control, log);
    this.cache.start();
  }

  /** Goes on with another certificate or address; the cache keeps what it has and catches up. */
  reconnect(address: string, identity: TlsIdentity): void {
    const old = this.#channel;
    this.#channel = connectChannel(address, identity, MANAGER_NAME);
    old.close();
  }

  dial(nodeId: string): Duplex {
    return openTunnel(this.#channel, ReachService.methods.open, { nodeId });
  }

  async close(): Promise<void> {
    await this.cache.stop();
    this.#channel.close();
  }
}

// Sinks of datagrams: UDP, where nothing says whether they arrived, and sockets of the file system, which a native helper writes to because the runtime cannot. All
// containers that send to one socket share a helper.
import { Buffer } from 'node:buffer';
import type { Socket } from 'node:dgram';
import { createSocket } from 'node:dgram';
import { lookup } from 'node:dns/promises';
import { join } from 'node:path';
import type { LogAddress } from '#protocol/log-drivers';
import { JsonLineProcess } from '../../json-line-process.ts';
import { DATAGRAM_CALL_MS } from '../../limits.ts';
import type { Packet, Sink } from './sink.ts';
import { dialError, SendError } from './sink.ts';

export class UdpSink implements Sink {
  readonly #address: LogAddress;
  #open: { readonly socket: Socket; readonly address: string } | undefined;

  constructor(address: LogAddress) {
    this.#address = address;
  }

  get isOpen(): boolean {
    return this.#open !== undefined;
  }

  async open(): Promise<void> {
    if (this.#open) return;
    const { host, port } = this.#address;
    const { address, family } = await lookup(host).catch((error: unknown) => {
      throw dialError('udp', `${host}:${port}`, error);
    });
    const socket = createSocket(family === 6 ? 'udp6' : 'udp4');
    socket.on('error', () => this.close());
    socket.unref();
    this.#open = { socket, address };
  }

  async send(packets: readonly Packet[]): Promise<void> {
    for (const [index, { bytes }] of packets.entries()) {
      try {
        await this.#sendOne(bytes);
      } catch (error) {
        this.close();
        throw new SendError(index, error);
      }
    }
  }

  #sendOne(bytes: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      if (!this.#open) {
        reject(new Error('not open'));
        return;
      }
      const { socket, address } = this.#open;
      socket.send(bytes, this.#address.port, address, (error) => {
        if (error) reject(error);
        else resolve();
      });
    });
  }

  close(): void {
    this.#open?.socket.close();
    this.#open = undefined;
  }
}

/** The helpers, one for each socket that somebody sends to. */
export class DatagramHelpers {
  readonly #program: string;
  readonly #byPath = new Map<string, { readonly process: JsonLineProcess; users: number }>();

  constructor(nativeDir: string) {
    this.#program = join(nativeDir, 'tswarm-datagram');
  }

  take(path: string): JsonLineProcess {
    let helper = this.#byPath.get(path);
    if (!helper) {
      const process = new JsonLineProcess({
        program: this.#program,
        args: [path],
        timeoutMs: DATAGRAM_CALL_MS,
      });
      helper = { process, users: 0 };
      this.#byPath.set(path, helper);
    }
    helper.users += 1;
    return helper.process;
  }

  giveBack(path: string): void {
    const helper = this.#byPath.get(path);
    if (!helper) return;
    helper.users -= 1;
    if (helper.users > 0) return;
    this.#byPath.delete(path);
    void helper.process.stop();
  }
}

export class UnixDatagramSink implements Sink {
  readonly #path: string;
  readonly #helpers: DatagramHelpers;
  #process: JsonLineProcess | undefined;

  constructor(path: string, helpers: DatagramHelpers) {
    this.#path = path;
    this.#helpers = helpers;
  }

  get isOpen(): boolean {
    return this.#process !== undefined;
  }

  async open(): Promise<void> {
    if (this.#process) return;
    this.#process = this.#helpers.take(this.#path);
    try {
      await this.send([]);
    } catch (error) {
      this.close();
      throw dialError('unixgram', this.#path, (error as Error).cause);
    }
  }

  async send(packets: readonly Packet[]): Promise<void> {
    if (!this.#process) throw new SendError(0, new Error('not open'));
    const datagrams = packets.map(({ bytes }) => Buffer.from(bytes).toString('base64'));
    const answer = await this.#process
      .ask({ op: 'send', datagrams })
      .catch((error: unknown) => Promise.reject(new SendError(0, error)));
    if (answer.ok) return;
    const cause = Object.assign(new Error(answer.error?.message ?? 'not sent'), {
      code: ERRNO_NAMES[answer.error?.errno ?? 0],
    });
    throw new SendError(Number(answer.sent ?? 0), cause);
  }

  close(): void {
    if (this.#process) this.#helpers.giveBack(this.#path);
    this.#process = undefined;
  }
}

/** Of the numbers that are told to people in words. */
const ERRNO_NAMES: Readonly<Record<number, string>> = {
  2: 'ENOENT',
  13: 'EACCES',
  111: 'ECONNREFUSED',
};

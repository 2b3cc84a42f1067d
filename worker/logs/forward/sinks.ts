// Which sink and which encoder a container's log driver has, by its options: the one place that knows all drivers.
import { readFileSync } from 'node:fs';
import type { ConnectionOptions } from 'node:tls';
import { rootCertificates } from 'node:tls';
import type { LogAddress, LogOptions, SendingDriver } from '#protocol/log-drivers';
import { durationMs, isTrue } from '#protocol/log-drivers';
import { FORWARD_WRITE_MS } from '../../limits.ts';
import type { DatagramHelpers } from './datagram-sink.ts';
import { UdpSink, UnixDatagramSink } from './datagram-sink.ts';
import { fluentdAddress, fluentdEncoder } from './fluentd.ts';
import { gelfAddress, gelfEncoder } from './gelf.ts';
import { JOURNAL_SOCKET, journaldEncoder } from './journald.ts';
import type { LogMessage, LogOrigin } from './message.ts';
import type { Packet, Sink } from './sink.ts';
import { SendError } from './sink.ts';
import { StreamSink } from './stream-sink.ts';
import { syslogAddress, syslogEncoder } from './syslog.ts';

export interface SinkDeps {
  readonly helpers: DatagramHelpers;
  readonly nowMs: () => number;
  /** The host's own sockets; tests have others. */
  readonly localSyslog: readonly string[];
  readonly journalSocket: string;
}

/** Where this host's own programs log to, the first that is there. */
export const LOCAL_SYSLOG: readonly string[] = ['/dev/log', '/var/run/syslog', '/var/run/log'];
export { JOURNAL_SOCKET };

/** How a container's messages get away. */
export interface Route {
  readonly sink: Sink;
  encode(message: LogMessage): readonly Packet[];
  /** The container starts also when nobody answers. */
  readonly isAsync: boolean;
  /** Tries after which a packet is given up; Infinity when nothing is said. */
  readonly retriesMax: number;
  /** The first pause between two tries; 0 = the usual one. */
  readonly retryMs: number;
}

const FOREVER = { isAsync: false, retriesMax: Number.POSITIVE_INFINITY, retryMs: 0 };

/** @throws Error when certificates cannot be read */
export function routeOf(
  driver: SendingDriver,
  options: LogOptions,
  origin: LogOrigin,
  deps: SinkDeps,
): Route {
  switch (driver) {
    case 'syslog': {
      const encode = plain(syslogEncoder(options, origin));
      return { ...FOREVER, sink: syslogSink(options, deps), encode };
    }
    case 'gelf':
      return gelfRoute(options, origin, deps);
    case 'fluentd':
      return fluentdRoute(options, origin, deps);
    case 'journald': {
      const sink = new JournalSink(deps.journalSocket, deps.helpers);
      return { ...FOREVER, sink, encode: plain(journaldEncoder(origin)) };
    }
  }
}

const plain =
  (encode: (message: LogMessage) => readonly Uint8Array[]) =>
  (message: LogMessage): readonly Packet[] =>
    encode(message).map((bytes) => ({ bytes, chunk: '' }));

function streamSink(address: LogAddress, deps: SinkDeps, tls?: ConnectionOptions): Sink {
  const common = { address, writeTimeoutMs: FORWARD_WRITE_MS, reconnectMs: 0 };
  return new StreamSink(tls ? { ...common, tls } : common, deps.nowMs);
}

function syslogSink(options: LogOptions, deps: SinkDeps): Sink {
  const address = syslogAddress(options);
  if (!address) return new LocalSyslogSink(deps);
  switch (address.scheme) {
    case 'udp':
      return new UdpSink(address);
    case 'unixgram':
      return new UnixDatagramSink(address.path, deps.helpers);
    case 'tcp+tls':
      return streamSink(address, deps, syslogTls(options, address.host));
    default:
      return streamSink(address, deps);
  }
}

function syslogTls(options: LogOptions, host: string): ConnectionOptions {
  const file = (option: string): Buffer | undefined => {
    const path = options[option] ?? '';
    return path === '' ? undefined : readFileSync(path);
  };
  const ca = file('syslog-tls-ca-cert');
  const cert = file('syslog-tls-cert');
  const key = file('syslog-tls-key');
  return {
    ...serverName(host),
    // In addition to the usual ones, as Docker has it.
    ...(ca ? { ca: [...rootCertificates, ca] } : {}),
    ...(cert ? { cert } : {}),
    ...(key ? { key } : {}),
    // As with Docker, the option alone counts, whatever its value.
    rejectUnauthorized: options['syslog-tls-skip-verify'] === undefined,
  };
}

/** Addresses are no server names. */
function serverName(host: string): ConnectionOptions {
  return /^[\d.]+$|:/.test(host) ? {} : { servername: host };
}

function gelfRoute(options: LogOptions, origin: LogOrigin, deps: SinkDeps): Route {
  const address = gelfAddress(options);
  if (!address) throw new Error('bug: gelf-address has not been checked');
  const tries = options['gelf-tcp-max-reconnect'];
  return {
    ...FOREVER,
    sink: address.scheme === 'udp' ? new UdpSink(address) : streamSink(address, deps),
    encode: plain(gelfEncoder(options, origin)),
    ...(tries === undefined ? {} : { retriesMax: Number(tries) }),
    retryMs: Number(options['gelf-tcp-reconnect-delay'] ?? 0) * 1000,
  };
}

function fluentdRoute(options: LogOptions, origin: LogOrigin, deps: SinkDeps): Route {
  const address = fluentdAddress(options);
  if (!address) throw new Error('bug: fluentd-address has not been checked');
  const encode = fluentdEncoder(options, origin);
  const tries = options['fluentd-max-retries'];
  const ms = (option: string): number => durationMs(options[`fluentd-${option}`] ?? '') ?? 0;
  return {
    sink: new StreamSink(
      {
        address,
        ...(address.scheme === 'tls' ? { tls: serverName(address.host) } : {}),
        writeTimeoutMs: ms('write-timeout') || FORWARD_WRITE_MS,
        reconnectMs: ms('async-reconnect-interval'),
      },
      deps.nowMs,
    ),
    encode: (message) => [encode(message)],
    isAsync: isTrue(options['fluentd-async'] ?? options['fluentd-async-connect']),
    retriesMax: tries === undefined ? Number.POSITIVE_INFINITY : Number(tries),
    retryMs: ms('retry-wait'),
  };
}

/** The journal, with Docker's words when there is none. */
class JournalSink extends UnixDatagramSink {
  override async open(): Promise<void> {
    await super.open().catch((cause: unknown) => {
      throw new Error('journald is not enabled on this host', { cause });
    });
  }
}

/** This host's own syslog: the first socket that is there, of datagrams or a stream. */
class LocalSyslogSink implements Sink {
  readonly #deps: SinkDeps;
  #sink: Sink | undefined;

  constructor(deps: SinkDeps) {
    this.#deps = deps;
  }

  get isOpen(): boolean {
    return this.#sink?.isOpen === true;
  }

  async open(): Promise<void> {
    if (this.isOpen) return;
    const { localSyslog, helpers } = this.#deps;
    const address = { host: '', port: 0, scheme: 'unix' };
    const sinks = [
      ...localSyslog.map((path) => new UnixDatagramSink(path, helpers)),
      ...localSyslog.map((path) => streamSink({ ...address, path }, this.#deps)),
    ];
    for (const sink of sinks) {
      try {
        await sink.open();
      } catch {
        continue;
      }
      this.#sink = sink;
      return;
    }
    throw new Error('Unix syslog delivery error');
  }

  async send(packets: readonly Packet[]): Promise<void> {
    if (!this.#sink) throw new SendError(0, new Error('not open'));
    await this.#sink.send(packets);
  }

  close(): void {
    this.#sink?.close();
    this.#sink = undefined;
  }
}

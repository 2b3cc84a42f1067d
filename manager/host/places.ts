// Where a manager listens and what it tells others: two listeners, control and Raft. Refuses
// addresses that are not HOST:PORT.
import { createServer } from 'node:net';
import { assert, TswarmError } from '#protocol/errors';

export interface Places {
  /** `host:port`; port 0 = any. */
  readonly listenAddress: string;
  /** `host:port` at which nodes reach the control port; port 0 = the one listened on. */
  readonly advertiseAddress: string;
  readonly raftListenAddress: string;
  readonly raftAdvertiseAddress: string;
}

/** `host:port` with another port. */
export function withPort(address: string, port: number): string {
  const at = address.lastIndexOf(':');
  assert(at > 0, 'an address has a port', { address });
  return `${address.slice(0, at)}:${port}`;
}

export function portOf(address: string): number {
  return Number(address.slice(address.lastIndexOf(':') + 1));
}

/** `address` with `port` where it has none of its own. */
export function withPortIfAny(address: string, port: number): string {
  return portOf(address) === 0 ? withPort(address, port) : address;
}

/** The longest DNS name and a port. */
export const ADDRESS_CHARS_MAX = 260;

const UNSPECIFIED: ReadonlySet<string> = new Set(['', '0.0.0.0', '::', '[::]']);

/** `address` with the host that its owner calls from (`seen`, with a port) where it names none. */
export function withSeenHost(address: string, seen: string): string {
  const at = address.lastIndexOf(':');
  if (!UNSPECIFIED.has(address.slice(0, at))) return address;
  const host = seen.replace(/:\d+$/, '').replace(/^\[?::ffff:([\d.]+)\]?$/, '$1');
  return `${host}:${portOf(address)}`;
}

/** Something listens at the address already; nothing is spoken on it. */
export interface Placeholder {
  readonly port: number;
  close(): Promise<void>;
}

/**
 * Listens at an address before its service is there, so that others can see whether they reach it.
 * @throws TswarmError failed_precondition
 */
export function holdPlace(address: string): Promise<Placeholder> {
  const at = address.lastIndexOf(':');
  const host = address.slice(0, at).replace(/^\[|\]$/g, '');
  const server = createServer((socket) => socket.destroy());
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const why = error.code === 'EADDRINUSE' ? 'the port is already in use' : error.message;
      reject(
        new TswarmError('failed_precondition', `cannot listen on ${address}: ${why}`, {
          cause: error,
          hint: 'Stop what listens there, or give another address.',
        }),
      );
    });
    server.listen(portOf(address), host, () => {
      const bound = server.address();
      assert(bound !== null && typeof bound === 'object', 'a TCP listener has a port');
      resolve({
        port: bound.port,
        close: () => new Promise<void>((done) => server.close(() => done())),
      });
    });
  });
}

// tcompose attach: this terminal becomes the container's. The exit code is the container's when it ends, 0 when the keys detach.
import { Buffer } from 'node:buffer';
import { parseDetachKeys } from '#protocol/detach-keys';
import { TswarmError } from '#protocol/errors';
import type { Json } from '../client/http.ts';
import { followSize, joinStdio } from '../client/streams.ts';
import { EXIT } from '../output/fail.ts';
import type { ComposeContext } from './context.ts';
import { findContainer } from './exec.ts';

export interface AttachOptions {
  readonly index?: string;
  readonly detachKeys?: string;
  readonly stdin?: boolean;
  readonly sigProxy?: boolean;
}

export async function attach(
  context: ComposeContext,
  service: string,
  options: AttachOptions,
): Promise<number> {
  const id = await findContainer(context, service, options.index);
  return attachTo(context, id, { ...options, logs: false });
}

export interface AttachTo extends Omit<AttachOptions, 'index'> {
  /** Also what it has printed so far. */
  readonly logs: boolean;
  /** Called once the connection stands. */
  readonly joined?: () => Promise<void>;
  /** Only these of its streams. */
  readonly only?: readonly ('stdin' | 'stdout' | 'stderr')[];
  /** Of a container that has not been started: the end is waited for from before that on, since it may be gone at once after it. */
  readonly waitFor?: 'next-exit' | 'removed';
}

/** All that is needed of the surroundings. */
type Connected = Pick<ComposeContext, 'client'>;

/** Joins a container until it ends or the keys detach. @returns the exit code */
export async function attachTo(context: Connected, id: string, options: AttachTo): Promise<number> {
  const { client } = context;
  const config = (await client.get<Json>(`/containers/${id}/json`)).Config as Json;
  const tty = config.Tty === true;
  const keys = parseDetachKeys(options.detachKeys ?? '');
  const isWanted = (stream: 'stdin' | 'stdout' | 'stderr'): boolean =>
    options.only?.includes(stream) ?? true;
  const stdin = options.stdin !== false && config.OpenStdin === true && isWanted('stdin');
  const query = new URLSearchParams({
    stream: '1',
    stdout: isWanted('stdout') ? '1' : '0',
    stderr: isWanted('stderr') ? '1' : '0',
    stdin: stdin ? '1' : '0',
    logs: options.logs ? '1' : '0',
    detachKeys: options.detachKeys ?? '',
  });
  const { socket, head } = await client.hijack(`/containers/${id}/attach?${query}`);
  const { waitFor } = options;
  const end =
    waitFor === undefined
      ? undefined
      : await client.open('POST', `/containers/${id}/wait`, { query: { condition: waitFor } });
  const isLate = options.joined === undefined;
  const stopResizing = tty ? followSize(client, `/containers/${id}/resize`, isLate) : () => {};
  const stopProxy =
    options.sigProxy === false || (tty && stdin) ? () => {} : proxySignals(context, id);
  try {
    const [how] = await Promise.all([
      joinStdio(socket, head, { tty, stdin, detachKeys: keys }),
      options.joined?.(),
    ]);
    if (how === 'detached') {
      end?.destroy();
      return EXIT.ok;
    }
  } catch (error) {
    // Nothing will come of it any more, and open connections would keep us.
    socket.destroy();
    end?.destroy();
    throw error;
  } finally {
    stopResizing();
    stopProxy();
  }
  if (end) return codeIn(end);
  // The last output may be here before the end is written down.
  const { StatusCode } = await client.post<{ StatusCode: number }>(`/containers/${id}/wait`);
  return StatusCode;
}

/** The exit code in an answer of `wait`. */
async function codeIn(answer: AsyncIterable<unknown>): Promise<number> {
  const parts: Buffer[] = [];
  for await (const part of answer) parts.push(part as Buffer);
  const { StatusCode, Error: failure } = JSON.parse(Buffer.concat(parts).toString()) as {
    readonly StatusCode: number;
    readonly Error?: { readonly Message: string } | null;
  };
  if (failure) throw new TswarmError('internal', failure.Message);
  return StatusCode;
}

const PROXIED = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2'] as const;

/** Signals to us reach the container instead. @returns a function that ends that */
function proxySignals(context: Connected, id: string): () => void {
  const pass = (signal: NodeJS.Signals): void => {
    // It may have ended in this moment.
    context.client.post(`/containers/${id}/kill`, { query: { signal } }).catch(() => {});
  };
  for (const signal of PROXIED) process.on(signal, pass);
  return () => {
    for (const signal of PROXIED) process.off(signal, pass);
  };
}

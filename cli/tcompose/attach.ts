// tcompose attach: this terminal becomes the container's. The exit code is the container's when it ends, 0 when the keys detach.
import { parseDetachKeys } from '#protocol/detach-keys';
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
}

/** Joins a container until it ends or the keys detach. @returns the exit code */
export async function attachTo(
  context: ComposeContext,
  id: string,
  options: AttachTo,
): Promise<number> {
  const { client } = context;
  const config = (await client.get<Json>(`/containers/${id}/json`)).Config as Json;
  const tty = config.Tty === true;
  const keys = parseDetachKeys(options.detachKeys ?? '');
  const stdin = options.stdin !== false && config.OpenStdin === true;
  const query = new URLSearchParams({
    stream: '1',
    stdout: '1',
    stderr: '1',
    stdin: stdin ? '1' : '0',
    logs: options.logs ? '1' : '0',
    detachKeys: options.detachKeys ?? '',
  });
  const { socket, head } = await client.hijack(`/containers/${id}/attach?${query}`);
  const isLate = options.joined === undefined;
  const stopResizing = tty ? followSize(client, `/containers/${id}/resize`, isLate) : () => {};
  const stopProxy =
    options.sigProxy === false || (tty && stdin) ? () => {} : proxySignals(context, id);
  try {
    const [how] = await Promise.all([
      joinStdio(socket, head, { tty, stdin, detachKeys: keys }),
      options.joined?.(),
    ]);
    if (how === 'detached') return EXIT.ok;
  } finally {
    stopResizing();
    stopProxy();
  }
  // The last output may be here before the end is written down.
  const { StatusCode } = await client.post<{ StatusCode: number }>(`/containers/${id}/wait`);
  return StatusCode;
}

const PROXIED = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2'] as const;

/** Signals to us reach the container instead. @returns a function that ends that */
function proxySignals(context: ComposeContext, id: string): () => void {
  const pass = (signal: NodeJS.Signals): void => {
    // It may have ended in this moment.
    context.client.post(`/containers/${id}/kill`, { query: { signal } }).catch(() => {});
  };
  for (const signal of PROXIED) process.on(signal, pass);
  return () => {
    for (const signal of PROXIED) process.off(signal, pass);
  };
}

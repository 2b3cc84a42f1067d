// The long-lived calls on containers: logs, attach, wait, stats. wait sends its headers at once: `docker run` posts it before start and would hang
// otherwise. attach takes the connection over.
import { DetachScanner, parseDetachKeys } from '#protocol/detach-keys';
import type { AttachedStream, LogOptions } from '#protocol/engine';
import { parseTime } from '#protocol/engine-json';
import { messageOf, TswarmError } from '#protocol/errors';
import type { ByteStream } from '#protocol/world';
import { type Context, pathId, type Route } from '../context.ts';
import { EngineError } from '../http/errors.ts';
import { outputContentType, pumpOutput } from '../http/frames.ts';
import type { Reply } from '../http/reply.ts';
import type { ApiRequest } from '../http/request.ts';

export function containerStreamRoutes(context: Context): readonly Route[] {
  return [
    { method: 'GET', pattern: '/containers/{id}/logs', handler: (q, r) => logs(context, q, r) },
    {
      method: 'POST',
      pattern: '/containers/{id}/attach',
      handler: (q, r) => attach(context, q, r),
    },
    { method: 'POST', pattern: '/containers/{id}/wait', handler: (q, r) => wait(context, q, r) },
    { method: 'GET', pattern: '/containers/{id}/stats', handler: (q, r) => stats(context, q, r) },
  ];
}

/** Paths whose handlers take the connection over when they are asked to. */
export const HIJACK_PATHS: readonly RegExp[] = [
  /^(\/v\d+\.\d+)?\/containers\/[^/]+\/attach$/,
  /^(\/v\d+\.\d+)?\/exec\/[^/]+\/start$/,
];

/** The parameters of a logs call. @throws EngineError with `noStreamStatus` when neither stream is asked for (400 for containers, 500 for services). */
export function logQuery(request: ApiRequest, noStreamStatus: number): LogOptions {
  const { query } = request;
  const out: LogOptions = {
    stdout: query.bool('stdout'),
    stderr: query.bool('stderr'),
    follow: query.bool('follow'),
    timestamps: query.bool('timestamps'),
    details: query.bool('details'),
    sinceMicros: timeParam(request, 'since'),
    untilMicros: timeParam(request, 'until'),
    tail: tailParam(query.text('tail')),
  };
  if (!out.stdout && !out.stderr) {
    throw new EngineError(
      'invalid_argument',
      noStreamStatus,
      'Bad parameters: you must choose at least one stream',
    );
  }
  return out;
}

function tailParam(text: string): number {
  return /^\d{1,9}$/.test(text) ? Number(text) : -1;
}

/** Unix seconds with an optional fraction, or RFC 3339, as microseconds; 0 when absent. @throws EngineError 400. */
export function timeParam(request: ApiRequest, name: string): number {
  const text = request.query.text(name);
  if (text === '') return 0;
  const unix = /^(\d{1,11})(?:\.(\d{1,9}))?$/.exec(text);
  if (unix) {
    const [, seconds = '0', fraction = ''] = unix;
    return Number(seconds) * 1e6 + Number(fraction.padEnd(6, '0').slice(0, 6));
  }
  const micros = parseTime(text);
  if (Number.isNaN(micros)) {
    throw new EngineError(
      'invalid_argument',
      400,
      `invalid value for "${name}": ${text.slice(0, 40)}`,
    );
  }
  return micros;
}

async function logs(context: Context, request: ApiRequest, reply: Reply): Promise<void> {
  const options = logQuery(request, 400);
  const source = await context.engine.containers.logs(pathId(request), options, request.signal);
  const type = request.version >= 1042 ? outputContentType(request.version, source.tty) : '';
  const stream = reply.stream(200, type);
  await pumpOutput(source.output, stream.write, source.tty);
  stream.end();
}

async function attach(context: Context, request: ApiRequest, reply: Reply): Promise<void> {
  const { query } = request;
  const detachKeys = parseDetachKeys(query.text('detachKeys'));
  const attached = await context.engine.containers.attach(pathId(request), {
    stdin: query.bool('stdin'),
    stdout: query.bool('stdout'),
    stderr: query.bool('stderr'),
    logs: query.bool('logs'),
    stream: query.bool('stream'),
  });
  // The body, if any, is not input: only what follows it.
  await request.optionalJson().catch(() => undefined);
  const client = reply.hijack(outputContentType(request.version, attached.tty));
  const stdin = query.bool('stdin') && query.bool('stream');
  await connectStreams(client, attached, { stdin, detachKeys, signal: request.signal });
}

export interface ConnectOptions {
  readonly stdin: boolean;
  /** With a terminal: the bytes that detach. */
  readonly detachKeys: readonly number[];
  readonly signal: AbortSignal;
}

/**
 * Couples a client's connection with a process. Ends when the process' output does, or the client goes. The end of the client's input closes
 * the process' stdin and nothing else: output goes on.
 */
export async function connectStreams(
  client: ByteStream,
  attached: AttachedStream,
  options: ConnectOptions,
): Promise<void> {
  const input = copyInput(client, attached, options);
  // Both halves are closed: nobody will read what a silent process might write one day.
  options.signal.addEventListener('abort', () => attached.detach(), { once: true });
  try {
    await pumpOutput(attached.output, client.write, attached.tty);
  } catch {
    // The client went away; the process goes on.
  } finally {
    attached.detach();
    client.close();
  }
  await input;
}

async function copyInput(
  client: ByteStream,
  attached: AttachedStream,
  options: ConnectOptions,
): Promise<void> {
  const scanner = attached.tty ? new DetachScanner(options.detachKeys) : undefined;
  try {
    for await (const chunk of client.read) {
      if (!options.stdin) continue;
      const { data, detached } = scanner?.feed(chunk) ?? { data: chunk, detached: false };
      if (data.length > 0) await attached.writeStdin(data);
      if (!detached) continue;
      attached.detach();
      client.close();
      return;
    }
  } catch {
    // The process has ended: what comes after that is dropped.
  }
  if (options.stdin) attached.closeStdin();
}

const CONDITIONS = ['not-running', 'next-exit', 'removed'] as const;
type Condition = (typeof CONDITIONS)[number];

async function wait(context: Context, request: ApiRequest, reply: Reply): Promise<void> {
  const text = request.query.text('condition') || 'not-running';
  const condition = CONDITIONS.find((known) => known === text);
  if (!condition && request.version >= 1030) {
    throw new TswarmError('invalid_argument', `invalid condition: ${JSON.stringify(text)}`, {
      field: 'condition',
    });
  }
  const waiting = await context.engine.containers.wait(
    pathId(request),
    condition ?? ('not-running' satisfies Condition),
  );
  const stream = reply.stream(200, 'application/json');
  const gone = new Promise<undefined>((resolve) => {
    if (request.signal.aborted) resolve(undefined);
    request.signal.addEventListener('abort', () => resolve(undefined), { once: true });
  });
  let result: unknown;
  try {
    result = await Promise.race([waiting.exit, gone]);
  } catch (error) {
    result = { StatusCode: -1, Error: { Message: messageOf(error) } };
  }
  if (result === undefined) return;
  await stream.write(`${JSON.stringify(result)}\n`);
  stream.end();
}

async function stats(context: Context, request: ApiRequest, reply: Reply): Promise<void> {
  const options = {
    stream: request.query.bool('stream', true),
    oneShot: request.query.bool('one-shot'),
  };
  if (options.stream && options.oneShot) {
    throw new EngineError('invalid_argument', 400, 'cannot have stream=true and one-shot=true');
  }
  const samples = await context.engine.containers.stats(pathId(request), options, request.signal);
  const stream = reply.stream(200, 'application/json');
  for await (const sample of samples) await stream.write(`${JSON.stringify(sample)}\n`);
  stream.end();
}

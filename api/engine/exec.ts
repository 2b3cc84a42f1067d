// /exec: create, start (takes the connection over unless detached), resize, inspect. A program that cannot be started is no error of start:
// the client gets 101, the reason as output, and the exit code from inspect (126 or 127); the worker arranges that.
import type { AttachedStream } from '#protocol/engine';
import { type Context, pathId, type Route } from '../context.ts';
import { outputContentType } from '../http/frames.ts';
import type { Reply } from '../http/reply.ts';
import { type ApiRequest, boolKey, keyOf } from '../http/request.ts';
import { connectStreams } from './container-streams.ts';
import { sizeOf } from './containers.ts';

export function execRoutes(context: Context): readonly Route[] {
  const { exec } = context.engine;
  return [
    {
      method: 'POST',
      pattern: '/containers/{id}/exec',
      handler: async (request, reply) => {
        reply.json(201, await exec.create(pathId(request), await request.json()));
      },
    },
    { method: 'POST', pattern: '/exec/{id}/start', handler: (q, r) => start(context, q, r) },
    {
      method: 'POST',
      pattern: '/exec/{id}/resize',
      handler: async (request, reply) => {
        await exec.resize(pathId(request), sizeOf(request));
        reply.empty(200);
      },
    },
    {
      method: 'GET',
      pattern: '/exec/{id}/json',
      handler: async (request, reply) => reply.json(200, await exec.inspect(pathId(request))),
    },
  ];
}

async function start(context: Context, request: ApiRequest, reply: Reply): Promise<void> {
  const body = (await request.optionalJson()) ?? {};
  const detach = boolKey(body, 'Detach');
  const tty = boolKey(body, 'Tty');
  const size = consoleSize(keyOf(body, 'ConsoleSize'));
  const attached: AttachedStream | undefined = await context.engine.exec.start(pathId(request), {
    detach,
    tty,
    ...(size ? { size } : {}),
  });
  if (!attached) {
    reply.empty(200);
    return;
  }
  const client = reply.hijack(outputContentType(request.version, attached.tty));
  await connectStreams(client, attached, { stdin: true, signal: request.signal });
}

/** `[height, width]`, as Docker orders it. */
function consoleSize(value: unknown): { width: number; height: number } | undefined {
  if (!Array.isArray(value)) return undefined;
  const [height, width] = value as unknown[];
  if (typeof height !== 'number' || typeof width !== 'number') return undefined;
  return width > 0 && height > 0 ? { width, height } : undefined;
}

// /exec: create, start (takes the connection over unless detached), resize, inspect. A program that cannot be started is no error of an attached
// start: the client gets 101, the reason as output, and the exit code (126 or 127) from inspect, where the worker put it. What was refused before anything
// was tried (no such exec, not running, has run before) is an error.

import { Buffer } from 'node:buffer';
import { parseDetachKeys } from '#protocol/detach-keys';
import type { AttachedStream } from '#protocol/engine';
import { messageOf } from '#protocol/errors';
import { type Context, pathId, type Route } from '../context.ts';
import { codeOf } from '../http/errors.ts';
import { encodeFrame, outputContentType } from '../http/frames.ts';
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
  const detachKeys = tty ? parseDetachKeys(await detachKeysOf(context, pathId(request))) : [];
  let attached: AttachedStream | undefined;
  try {
    const options = { detach, tty, ...(size ? { size } : {}) };
    attached = await context.engine.exec.start(pathId(request), options);
  } catch (error) {
    const code = codeOf(error);
    if (detach || (code !== 'command_not_found' && code !== 'command_not_executable')) throw error;
    const client = reply.hijack(outputContentType(request.version, tty));
    const text = Buffer.from(`${messageOf(error)}\r\n`);
    await client.write(tty ? text : encodeFrame('stdout', text));
    client.close();
    return;
  }
  if (!attached) {
    reply.empty(200);
    return;
  }
  const client = reply.hijack(outputContentType(request.version, attached.tty));
  await connectStreams(client, attached, { stdin: true, detachKeys, signal: request.signal });
}

/** The sequence that the exec was created with. */
async function detachKeysOf(context: Context, id: string): Promise<string> {
  const { DetachKeys: keys } = await context.engine.exec.inspect(id);
  return typeof keys === 'string' ? keys : '';
}

/** `[height, width]`, as Docker orders it. */
function consoleSize(value: unknown): { width: number; height: number } | undefined {
  if (!Array.isArray(value)) return undefined;
  const [height, width] = value as unknown[];
  if (typeof height !== 'number' || typeof width !== 'number') return undefined;
  return width > 0 && height > 0 ? { width, height } : undefined;
}

// GET /tswarm/v1/stacks/{name}/logs and /tswarm/v1/logs: the logs of containers as JSON lines, each with service, task, container and time, so that
// `tcompose logs`, `tcompose up` and the dashboard need no other call.

import { Buffer } from 'node:buffer';
import { TswarmError } from '#protocol/errors';
import { ObjectUnion } from '#protocol/generated/control';
import type { Task } from '#protocol/generated/objects';
import { containerNameOf } from '#protocol/ids';
import { lookup, nameOf } from '../cache/lookup.ts';
import type { ObjectCache } from '../cache/object-cache.ts';
import { type Context, requireSession } from '../context.ts';
import { timeParam } from '../engine/container-streams.ts';
import { TogetherWriter } from '../http/frames.ts';
import type { Reply } from '../http/reply.ts';
import type { ApiRequest } from '../http/request.ts';
import type { LogEntry } from '../logs/entries.ts';
import { logSource } from '../logs/log-source.ts';
import { nameSilentNodes, taskLogs } from '../logs/task-logs.ts';
import type { LogLine } from './types.ts';
import { isOfStack, taskIsOfStack } from './views.ts';

/** Whose logs: of which tasks, and when nothing can come any more. */
interface Selection {
  readonly selects: (task: Task) => boolean;
  readonly isOver: () => boolean;
}

/** Streams until all containers have ended, or with `follow` until the stack is gone or the client goes. */
export async function stackLogs(
  context: Context,
  request: ApiRequest,
  reply: Reply,
): Promise<void> {
  const { cache } = requireSession(context);
  const name = request.params.name ?? '';
  const services = new Set(request.query.all('service').flatMap((value) => value.split(',')));
  await streamLogs(context, request, reply, {
    selects: (task) =>
      taskIsOfStack(cache, task, name) && isWanted(services, name, task.serviceName),
    isOver: () => !exists(cache, name),
  });
}

/** GET /tswarm/v1/logs: of one stack, service or task, named by `stack=`, `service=` or `task=`. */
export async function logsOf(context: Context, request: ApiRequest, reply: Reply): Promise<void> {
  const { cache } = requireSession(context);
  const named = ['stack', 'service', 'task'].filter((kind) => request.query.has(kind));
  const [kind] = named;
  if (kind === undefined || named.length > 1) {
    throw new TswarmError('invalid_argument', 'logs: name one stack, service or task', {
      hint: 'Write for example ?service=web.',
    });
  }
  const name = request.query.text(kind);
  if (kind === 'stack') {
    await streamLogs(context, request, reply, {
      selects: (task) => taskIsOfStack(cache, task, name),
      isOver: () => !exists(cache, name),
    });
    return;
  }
  const { id } = lookup(cache, kind === 'task' ? 'task' : 'service', name);
  await streamLogs(context, request, reply, {
    selects: (task) => (kind === 'task' ? task.id : task.serviceId) === id,
    isOver: () => cache.get(kind === 'task' ? 'task' : 'service', id) === undefined,
  });
}

async function streamLogs(
  context: Context,
  request: ApiRequest,
  reply: Reply,
  selection: Selection,
): Promise<void> {
  const { cache } = requireSession(context);
  const tail = request.query.text('tail');
  const options = {
    stdout: true,
    stderr: true,
    details: false,
    follow: request.query.bool('follow'),
    sinceMicros: timeParam(request, 'since'),
    untilMicros: timeParam(request, 'until'),
    tail: /^\d{1,9}$/.test(tail) ? Number(tail) : -1,
  };
  const deps = {
    logsOf: logSource(context),
    cache,
    clock: context.clock,
    log: context.log,
  };
  nameSilentNodes(cache, selection.selects, reply);
  const stream = reply.stream(200, 'application/x-ndjson');
  const textOf = (line: LogLine): string => `${JSON.stringify(line)}\n`;
  const marks = request.query.bool('marks');
  const onMissing = (task: Task, missing: string): void => {
    if (!marks) return;
    const time = new Date(context.clock.nowMs()).toISOString();
    const nothing = {
      stream: 'stderr',
      time,
      key: time,
      details: '',
      data: Buffer.alloc(0),
    } as const;
    // A client that has gone is noticed by the next line.
    stream.write(textOf({ ...lineOf(cache, task, nothing), missing })).catch(() => {});
  };
  const withMarks = { ...deps, onMissing };
  const writer = new TogetherWriter(stream.write);
  for await (const next of taskLogs(withMarks, options, selection, request.signal)) {
    await writer.add(Buffer.from(textOf(lineOf(cache, next.tag, next.entry))));
    if (!next.more) await writer.flush();
  }
  await writer.flush();
  stream.end();
}

/** A service may be named as in the cluster (`shop_web`) or as in the project (`web`). */
function isWanted(wanted: ReadonlySet<string>, stack: string, service: string): boolean {
  if (wanted.size === 0) return true;
  if (wanted.has(service)) return true;
  return service.startsWith(`${stack}_`) && wanted.has(service.slice(stack.length + 1));
}

function exists(cache: ObjectCache, name: string): boolean {
  for (const stack of cache.all('stack')) if (stack.spec?.name === name) return true;
  for (const service of cache.all('service')) {
    if (isOfStack(cache, 'service', ObjectUnion.create({ service }), name)) return true;
  }
  for (const task of cache.all('task')) if (taskIsOfStack(cache, task, name)) return true;
  return false;
}

function lineOf(cache: ObjectCache, task: Task, entry: LogEntry): LogLine {
  const node = cache.get('node', task.nodeId);
  return {
    service: task.serviceName,
    task: task.id,
    slot: task.slot,
    node: node ? nameOf('node', node) : task.nodeId,
    container: task.status?.containerStatus?.containerId ?? '',
    containerName: containerNameOf(task),
    stream: entry.stream,
    time: entry.time,
    line: entry.data.toString('utf8').replace(/\r?\n$/, ''),
  };
}

// GET /tswarm/v1/stacks/{name}/logs: the logs of a stack's containers as JSON lines, each with service, task, container and time, so that
// `tcompose logs` and `tcompose up` need no other call.

import { ObjectUnion } from '#protocol/generated/control';
import type { Task } from '#protocol/generated/objects';
import { containerNameOf } from '#protocol/ids';
import { nameOf } from '../cache/lookup.ts';
import type { ObjectCache } from '../cache/object-cache.ts';
import { type Context, requireSession } from '../context.ts';
import { timeParam } from '../engine/container-streams.ts';
import type { Reply } from '../http/reply.ts';
import type { ApiRequest } from '../http/request.ts';
import type { LogEntry } from '../logs/entries.ts';
import { logSource } from '../logs/log-source.ts';
import { nameSilentNodes, taskLogs } from '../logs/task-logs.ts';
import type { LogLine } from './types.ts';
import { isOfStack, taskIsOfStack } from './views.ts';

/** Streams until all containers have ended, or with `follow` until the stack is gone or the client goes. */
export async function stackLogs(
  context: Context,
  request: ApiRequest,
  reply: Reply,
): Promise<void> {
  const { cache } = requireSession(context);
  const name = request.params.name ?? '';
  const services = new Set(request.query.all('service').flatMap((value) => value.split(',')));
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
  const selection = {
    selects: (task: Task) =>
      taskIsOfStack(cache, task, name) && isWanted(services, name, task.serviceName),
    isOver: () => !exists(cache, name),
  };
  nameSilentNodes(cache, selection.selects, reply);
  const stream = reply.stream(200, 'application/x-ndjson');
  for await (const { tag, entry } of taskLogs(deps, options, selection, request.signal)) {
    await stream.write(`${JSON.stringify(lineOf(cache, tag, entry))}\n`);
  }
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

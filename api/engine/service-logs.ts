// GET /services/{id}/logs and /tasks/{id}/logs: the merged logs of the tasks' containers on this node. With details each line says which node,
// service and task it is from; the docker command parses that to print `name.slot.id@node`.
import { Buffer } from 'node:buffer';
import type { LogOptions, OutputFrame } from '#protocol/engine';
import type { Task } from '#protocol/generated/objects';
import { lookup } from '../cache/lookup.ts';
import { type Context, pathId, type Route, requireSession } from '../context.ts';
import { pumpOutput } from '../http/frames.ts';
import type { Reply } from '../http/reply.ts';
import type { ApiRequest } from '../http/request.ts';
import { logSource } from '../logs/log-source.ts';
import type { MergedEntry } from '../logs/merge.ts';
import { nameSilentNodes, taskLogs } from '../logs/task-logs.ts';
import { logQuery } from './container-streams.ts';

export function serviceLogRoutes(context: Context): readonly Route[] {
  return [
    {
      method: 'GET',
      pattern: '/services/{id}/logs',
      handler: async (request, reply) => {
        const options = logQuery(request, 500);
        const { cache } = requireSession(context);
        const { id, spec } = lookup(cache, 'service', pathId(request));
        await send(context, request, reply, options, {
          tty: spec?.taskTemplate?.containerSpec?.tty ?? false,
          selects: (task) => task.serviceId === id,
          isOver: () =>
            cache.get('service', id) === undefined && [...cache.tasksOf(id)].length === 0,
        });
      },
    },
    {
      method: 'GET',
      pattern: '/tasks/{id}/logs',
      handler: async (request, reply) => {
        const options = logQuery(request, 500);
        const { cache } = requireSession(context);
        const { id, spec } = lookup(cache, 'task', pathId(request));
        await send(context, request, reply, options, {
          tty: spec?.containerSpec?.tty ?? false,
          selects: (task) => task.id === id,
          isOver: () => cache.get('task', id) === undefined,
        });
      },
    },
  ];
}

interface Selection {
  readonly tty: boolean;
  readonly selects: (task: Task) => boolean;
  readonly isOver: () => boolean;
}

async function send(
  context: Context,
  request: ApiRequest,
  reply: Reply,
  options: LogOptions,
  selection: Selection,
): Promise<void> {
  const { cache } = requireSession(context);
  const deps = {
    logsOf: logSource(context),
    cache,
    clock: context.clock,
    log: context.log,
  };
  const type =
    request.version >= 1042
      ? `application/vnd.docker.${selection.tty ? 'raw' : 'multiplexed'}-stream`
      : '';
  nameSilentNodes(cache, selection.selects, reply);
  const stream = reply.stream(200, type);
  const merged = taskLogs(deps, options, selection, request.signal);
  await pumpOutput(framesOf(merged, options), stream.write, selection.tty);
  stream.end();
}

async function* framesOf(
  merged: AsyncIterable<MergedEntry<Task>>,
  options: LogOptions,
): AsyncGenerator<OutputFrame> {
  for await (const { tag, entry, more } of merged) {
    const prefix =
      (options.timestamps ? `${entry.time} ` : '') +
      (options.details ? `${detailsOf(tag, entry.details)} ` : '');
    const data = prefix === '' ? entry.data : Buffer.concat([Buffer.from(prefix), entry.data]);
    yield { stream: entry.stream, data, more };
  }
}

/** Swarm's three labels first; clients take them away and show what is left. */
function detailsOf(task: Task, more: string): string {
  return (
    `com.docker.swarm.node.id=${task.nodeId},` +
    `com.docker.swarm.service.id=${task.serviceId},` +
    `com.docker.swarm.task.id=${task.id}${more === '' ? '' : `,${more}`}`
  );
}

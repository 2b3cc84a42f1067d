// Where the log of a task's container is read: from this node's engine, or from the node that the task is on, by that node's API.
import { Buffer } from 'node:buffer';
import type { LogOptions, OutputFrame } from '#protocol/engine';
import { TswarmError } from '#protocol/errors';
import { NodeState, type Task } from '#protocol/generated/objects';
import type { Context } from '../context.ts';
import { decodeFrames } from '../http/frames.ts';
import { callNode } from '../reach/node-http.ts';

/** Output of a task's container. @throws TswarmError not_found when it is gone, unavailable when its node is */
export type LogSource = (
  task: Task,
  container: string,
  options: LogOptions,
  signal: AbortSignal,
) => Promise<AsyncIterable<OutputFrame>>;

export function logSource(context: Context): LogSource {
  return async (task, container, options, signal) => {
    if (task.nodeId === context.node.state().nodeId) {
      return (await context.engine.containers.logs(container, options, signal)).output;
    }
    const session = context.node.session();
    const node = session?.cache.get('node', task.nodeId);
    const isAlive = node?.status?.state === NodeState.READY;
    if (!session || !isAlive) {
      const name = node?.description?.hostname || task.nodeId;
      throw new TswarmError(
        'unavailable',
        `logs of ${container.slice(0, 12)}: node ${name} is down`,
      );
    }
    const target = `/v1.44/containers/${container}/logs?${queryOf(options)}`;
    const call = { method: 'GET', target, signal };
    const { message } = await callNode(session.dial(task.nodeId), call);
    if (message.statusCode === 200) {
      const isRaw = message.headers['content-type']?.includes('raw-stream') === true;
      return isRaw ? rawOutput(message) : decodeFrames(message);
    }
    message.resume();
    const code = message.statusCode === 404 ? 'not_found' : 'unavailable';
    throw new TswarmError(code, `logs of ${container.slice(0, 12)}: status ${message.statusCode}`);
  };
}

function queryOf(options: LogOptions): string {
  const query = new URLSearchParams();
  for (const key of ['stdout', 'stderr', 'follow', 'timestamps', 'details'] as const) {
    query.set(key, options[key] ? '1' : '0');
  }
  query.set('tail', options.tail < 0 ? 'all' : String(options.tail));
  if (options.sinceMicros > 0) query.set('since', secondsOf(options.sinceMicros));
  if (options.untilMicros > 0) query.set('until', secondsOf(options.untilMicros));
  return query.toString();
}

function secondsOf(micros: number): string {
  return `${Math.floor(micros / 1e6)}.${String(micros % 1e6).padStart(6, '0')}`;
}

/** With a terminal there is one stream. */
async function* rawOutput(message: AsyncIterable<unknown>): AsyncIterable<OutputFrame> {
  for await (const chunk of message) yield { stream: 'stdout', data: Buffer.from(chunk as Buffer) };
}

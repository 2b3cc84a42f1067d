// tswarm service logs: what the tasks of a service, or one task, wrote, on whichever nodes, with task and node in front of each line. Lines come as
// `[time] labels text`; the three labels of Swarm become the name in front, others are shown on request. Flags and form: docker service logs.
import { TswarmError } from '#protocol/errors';
import type { ApiClient, Json } from '../../client/http.ts';
import { Demultiplexer } from '../../client/streams.ts';
import { EXIT } from '../../output/fail.ts';
import { tailCount, timeOf } from '../../output/times.ts';

export interface ServiceLogsOptions {
  readonly follow?: boolean;
  readonly tail?: string;
  readonly since?: string;
  readonly timestamps?: boolean;
  readonly details?: boolean;
  readonly raw?: boolean;
  readonly taskIds?: boolean;
  readonly resolve?: boolean;
  readonly trunc?: boolean;
}

const ID_CHARS = 12;

export async function logs(
  client: ApiClient,
  name: string,
  options: ServiceLogsOptions,
): Promise<number> {
  const response = await client.open('GET', await logsPath(client, name), {
    query: {
      stdout: 1,
      stderr: 1,
      details: 1,
      follow: options.follow ? 1 : undefined,
      tail: tailCount(options.tail ?? 'all'),
      since: options.since === undefined ? undefined : timeOf('--since', options.since, Date.now()),
      timestamps: options.timestamps ? 1 : undefined,
    },
  });
  const labels = new TaskLabels(client, options);
  let last = Promise.resolve();
  const show = (stream: 'stdout' | 'stderr', data: Buffer): void => {
    const line = data.toString();
    last = last.then(async () => {
      const out = stream === 'stderr' ? process.stderr : process.stdout;
      out.write(await labels.format(line));
    });
  };
  // With a terminal there is one stream, cut into lines only.
  const isRaw = response.headers['content-type']?.includes('raw-stream') === true;
  const splitter = isRaw ? new LineSplitter() : new Demultiplexer();
  for await (const chunk of response) splitter.push(chunk as Buffer, show);
  if (splitter instanceof LineSplitter) splitter.end(show);
  await last;
  return EXIT.ok;
}

/** Of a service by name or id, else of a task by id. */
async function logsPath(client: ApiClient, name: string): Promise<string> {
  for (const kind of ['services', 'tasks']) {
    const path = `/${kind}/${encodeURIComponent(name)}`;
    try {
      const found = await client.get<Json>(path);
      return `/${kind}/${String(found.ID)}/logs`;
    } catch (error) {
      if (!(error instanceof TswarmError) || error.code !== 'not_found') throw error;
    }
  }
  throw new TswarmError('not_found', `no such task or service: ${name}`, {
    hint: 'List them with: tswarm service ls, tswarm service ps SERVICE',
  });
}

/** Whole lines of one stream. */
class LineSplitter {
  #rest: Buffer = Buffer.alloc(0);

  push(chunk: Buffer, emit: (stream: 'stdout', data: Buffer) => void): void {
    this.#rest = Buffer.concat([this.#rest, chunk]);
    for (;;) {
      const end = this.#rest.indexOf(0x0a);
      if (end < 0) return;
      emit('stdout', this.#rest.subarray(0, end + 1));
      this.#rest = this.#rest.subarray(end + 1);
    }
  }

  end(emit: (stream: 'stdout', data: Buffer) => void): void {
    if (this.#rest.length > 0) emit('stdout', this.#rest);
  }
}

const SWARM_LABEL = /^com\.docker\.swarm\.(node|service|task)\.id=(.*)$/;

/** One line as the API sends it. */
interface Line {
  /** With the space behind it; '' without timestamps. */
  readonly time: string;
  readonly nodeId: string;
  readonly serviceId: string;
  readonly taskId: string;
  /** `k=v,k=v` of what log options name. */
  readonly details: string;
  readonly message: string;
}

/** Undefined for a line without labels: what a client older than the labels would get. */
export function parseLine(line: string, hasTime: boolean): Line | undefined {
  const match = (hasTime ? /^(\S+ )(\S+) ([\s\S]*)$/ : /^()(\S+) ([\s\S]*)$/).exec(line);
  const [, time = '', labels = '', message = ''] = match ?? [];
  const ids: Record<string, string> = {};
  const others: string[] = [];
  for (const label of labels.split(',')) {
    const [, kind, id] = SWARM_LABEL.exec(label) ?? [];
    if (kind !== undefined && id !== undefined && !(kind in ids)) ids[kind] = id;
    else others.push(decoded(label));
  }
  const { node: nodeId = '', service: serviceId = '', task: taskId } = ids;
  if (taskId === undefined) return undefined;
  return { time, nodeId, serviceId, taskId, details: others.join(','), message };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Turns the labels at the head of each line into `service.slot.task@node    | `. */
class TaskLabels {
  readonly #client: ApiClient;
  readonly #options: ServiceLogsOptions;
  readonly #names = new Map<string, string>();
  #width = 0;

  constructor(client: ApiClient, options: ServiceLogsOptions) {
    this.#client = client;
    this.#options = options;
  }

  async format(text: string): Promise<string> {
    const line = parseLine(text, this.#options.timestamps === true);
    if (!line) return text;
    const { time, details, message } = line;
    const shown = this.#options.details && details !== '' ? `${details} ` : '';
    if (this.#options.raw) return time + shown + message;
    const name = await this.#nameOf(line);
    this.#width = Math.max(this.#width, name.length);
    return `${time}${name.padEnd(this.#width)}    | ${shown}${message}`;
  }

  async #nameOf({ taskId, serviceId, nodeId }: Line): Promise<string> {
    const known = this.#names.get(taskId);
    if (known !== undefined) return known;
    const { resolve, taskIds, trunc } = this.#options;
    const cut = (id: string): string => (trunc === false ? id : id.slice(0, ID_CHARS));
    const task = await this.#client.get<Json>(`/tasks/${taskId}`).catch(() => undefined);
    let service = serviceId;
    let host = nodeId;
    if (resolve !== false) {
      const found = await this.#client.get<Json>(`/services/${serviceId}`).catch(() => undefined);
      service = String((found?.Spec as Json | undefined)?.Name ?? serviceId);
      const node = await this.#client.get<Json>(`/nodes/${nodeId}`).catch(() => undefined);
      host = String((node?.Description as Json | undefined)?.Hostname ?? nodeId);
    }
    const slot = Number(task?.Slot ?? 0) > 0 ? String(task?.Slot) : cut(nodeId);
    const name = `${service}.${slot}${taskIds === false ? '' : `.${cut(taskId)}`}@${host}`;
    this.#names.set(taskId, name);
    return name;
  }
}

// tswarm service logs: output of a service's tasks, with task and node in front.
import type { ApiClient, Json } from '../../client/http.ts';
import { Demultiplexer } from '../../client/streams.ts';
import { EXIT } from '../../output/fail.ts';
import { tailCount, timeOf } from '../../output/times.ts';

export interface ServiceLogsOptions {
  readonly follow?: boolean;
  readonly tail?: string;
  readonly since?: string;
  readonly timestamps?: boolean;
  readonly raw?: boolean;
  readonly taskIds?: boolean;
  readonly resolve?: boolean;
  readonly trunc?: boolean;
}

export async function logs(
  client: ApiClient,
  name: string,
  options: ServiceLogsOptions,
): Promise<number> {
  const service = await client.get<Json>(`/services/${encodeURIComponent(name)}`);
  const response = await client.open('GET', `/services/${encodeURIComponent(name)}/logs`, {
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
  const labels = new TaskLabels(client, String((service.Spec as Json).Name), options);
  const splitter = new Demultiplexer();
  let last = Promise.resolve();
  for await (const chunk of response) {
    splitter.push(chunk as Buffer, (stream, data) => {
      const line = data.toString();
      last = last.then(async () => {
        const out = stream === 'stderr' ? process.stderr : process.stdout;
        out.write(await labels.format(line));
      });
    });
  }
  await last;
  return EXIT.ok;
}

/** Turns the detail labels at the head of each line into `service.slot.task@node    | `. */
class TaskLabels {
  readonly #client: ApiClient;
  readonly #service: string;
  readonly #options: ServiceLogsOptions;
  readonly #names = new Map<string, string>();
  #width = 0;

  constructor(client: ApiClient, service: string, options: ServiceLogsOptions) {
    this.#client = client;
    this.#service = service;
    this.#options = options;
  }

  async format(line: string): Promise<string> {
    const match = /^(\S+ )??((?:[\w.]+=[^ ,]*,?)+) ([\s\S]*)$/.exec(line);
    if (!match) return line;
    const [, time = '', details = '', message = ''] = match;
    if (this.#options.raw) return time + message;
    const id = /com\.docker\.swarm\.task\.id=([^,]+)/.exec(details)?.[1] ?? '';
    const name = await this.#nameOf(id);
    this.#width = Math.max(this.#width, name.length);
    return `${name.padEnd(this.#width)}    | ${time}${message}`;
  }

  async #nameOf(taskId: string): Promise<string> {
    const known = this.#names.get(taskId);
    if (known !== undefined) return known;
    const task = await this.#client.get<Json>(`/tasks/${taskId}`).catch(() => undefined);
    const node = task?.NodeID
      ? await this.#client.get<Json>(`/nodes/${task.NodeID}`).catch(() => undefined)
      : undefined;
    const { resolve, taskIds, trunc } = this.#options;
    const host =
      resolve === false
        ? String(task?.NodeID ?? '')
        : String((node?.Description as Json | undefined)?.Hostname ?? task?.NodeID ?? '');
    const slot = Number(task?.Slot ?? 0) > 0 ? task?.Slot : task?.NodeID;
    const service = resolve === false ? String(task?.ServiceID ?? '') : this.#service;
    const id = trunc === false ? taskId : taskId.slice(0, 12);
    const name = `${service}.${slot}${taskIds === false ? '' : `.${id}`}@${host}`;
    this.#names.set(taskId, name);
    return name;
  }
}

// tswarm container logs, exec, stats: what lasts. exec gives the exit code of the program, stats the figures of docker.
import { TswarmError } from '#protocol/errors';
import type { ApiClient, Json } from '../../client/http.ts';
import { StreamPrinter } from '../../client/streams.ts';
import { EXIT } from '../../output/fail.ts';
import { formatList } from '../../output/format.ts';
import { tailCount, timeOf } from '../../output/times.ts';
import { attachTo } from '../../tcompose/attach.ts';
import { type ExecOptions, execIn } from '../../tcompose/exec.ts';
import { STATS_COLUMNS, statsRow } from '../../tcompose/stats.ts';
import { environmentFile } from '../service/values.ts';
import { start as startAll } from './containers.ts';

const PERIOD_MS = 1000;

export interface LogOptions {
  readonly follow?: boolean;
  readonly tail?: string;
  readonly since?: string;
  readonly until?: string;
  readonly timestamps?: boolean;
  readonly details?: boolean;
}

export async function logs(client: ApiClient, name: string, options: LogOptions): Promise<number> {
  const now = Date.now();
  const { since, until } = options;
  const response = await client.open('GET', `/containers/${encodeURIComponent(name)}/logs`, {
    query: {
      stdout: 1,
      stderr: 1,
      follow: options.follow ? 1 : undefined,
      tail: tailCount(options.tail ?? 'all'),
      since: since === undefined ? undefined : timeOf('--since', since, now),
      until: until === undefined ? undefined : timeOf('--until', until, now),
      timestamps: options.timestamps ? 1 : undefined,
      details: options.details ? 1 : undefined,
    },
  });
  const isRaw = response.headers['content-type']?.includes('raw-stream') === true;
  const printer = new StreamPrinter();
  for await (const chunk of response) {
    if (isRaw) process.stdout.write(chunk as Buffer);
    else printer.print(chunk as Buffer);
  }
  return EXIT.ok;
}

export interface ContainerExecOptions extends ExecOptions {
  readonly interactive?: boolean;
  readonly tty?: boolean;
  readonly envFile?: readonly string[];
}

export function exec(
  client: ApiClient,
  name: string,
  command: readonly string[],
  options: ContainerExecOptions,
): Promise<number> {
  if (options.tty && !process.stdin.isTTY) {
    throw new TswarmError('invalid_argument', 'the input device is not a TTY', {
      hint: 'Leave -t out.',
    });
  }
  const { interactive, envFile = [], ...rest } = options;
  return execIn(client, encodeURIComponent(name), command, {
    ...rest,
    env: [...envFile.flatMap(environmentFile), ...(options.env ?? [])],
    stdin: interactive === true,
    tty: options.tty === true,
  });
}

export interface AttachFlags {
  readonly detachKeys?: string;
  readonly stdin?: boolean;
  readonly sigProxy?: boolean;
}

export async function attach(
  client: ApiClient,
  name: string,
  options: AttachFlags,
): Promise<number> {
  const { State } = await client.get<{ State: Json }>(
    `/containers/${encodeURIComponent(name)}/json`,
  );
  if (State.Paused === true || State.Running !== true) {
    const what =
      State.Paused === true ? 'a paused container, unpause' : 'a stopped container, start';
    throw new TswarmError('conflict', `You cannot attach to ${what} it first`);
  }
  return attachTo({ client }, encodeURIComponent(name), { ...options, logs: false });
}

export interface StartOptions {
  readonly attach?: boolean;
  readonly interactive?: boolean;
  readonly detachKeys?: string;
}

/** Joined, a container is joined before it is started. */
export async function start(
  client: ApiClient,
  names: readonly string[],
  options: StartOptions,
): Promise<number> {
  if (!options.attach && !options.interactive) return startAll(client, names);
  const [name = '', another] = names;
  if (another !== undefined) {
    throw new TswarmError(
      'invalid_argument',
      'you cannot start and attach multiple containers at once',
    );
  }
  const id = encodeURIComponent(name);
  return attachTo({ client }, id, {
    logs: false,
    stdin: options.interactive === true,
    waitFor: 'next-exit',
    joined: async () => void (await client.post(`/containers/${id}/start`)),
    ...(options.detachKeys === undefined ? {} : { detachKeys: options.detachKeys }),
  });
}

export interface StatsOptions {
  readonly all?: boolean;
  readonly format?: string;
  readonly stream?: boolean;
  readonly trunc?: boolean;
}

/** Of the containers that are named, or of all that run. */
export async function stats(
  client: ApiClient,
  names: readonly string[],
  options: StatsOptions,
): Promise<number> {
  for (;;) {
    const text = await picture(client, names, options);
    if (options.stream === false || !process.stdout.isTTY) {
      process.stdout.write(text);
      return EXIT.ok;
    }
    process.stdout.write(`\u001b[H\u001b[2J${text}`);
    await new Promise((resolve) => setTimeout(resolve, PERIOD_MS));
  }
}

async function picture(
  client: ApiClient,
  names: readonly string[],
  options: StatsOptions,
): Promise<string> {
  const all = options.all === true || names.length > 0;
  const found = await client.get<Json[]>('/containers/json', { query: { all } });
  const known = found.map((one) => ({
    id: String(one.Id),
    name: String((one.Names as readonly string[])[0] ?? '').replace(/^\//, ''),
    isRunning: one.State === 'running',
  }));
  const chosen =
    names.length === 0
      ? known
      : names.map((name) => {
          const one = known.find(({ id, name: own }) => own === name || id.startsWith(name));
          if (one) return one;
          throw new TswarmError('not_found', `No such container: ${name}`);
        });
  const rows = await Promise.all(
    chosen.map(async (one) => {
      const query = { stream: false };
      const sample = one.isRunning
        ? await client.get<Json>(`/containers/${one.id}/stats`, { query }).catch(() => undefined)
        : undefined;
      return statsRow(one, sample, options);
    }),
  );
  const { format } = options;
  return formatList({ columns: STATS_COLUMNS, rows }, format === undefined ? {} : { format });
}

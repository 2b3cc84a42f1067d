// tswarm container run, create and update: docker's command lines for single containers of one node. An image that is missing is pulled; `run` joins the
// container before it starts it, so that no output is missed, and ends with its exit code.
import { existsSync, writeFileSync } from 'node:fs';
import { hasCode, messageOf, TswarmError } from '#protocol/errors';
import type { ApiClient, Json } from '../../client/http.ts';
import { EXIT, forEachName, reportFailure } from '../../output/fail.ts';
import { attachTo } from '../../tcompose/attach.ts';
import { fetchImage } from '../image/image.ts';
import { oneOf } from '../service/values.ts';
import { bodyOf, CREATE_FLAGS } from './create-flags.ts';
import type { Flag } from './flag-setters.ts';

export interface CreateOptions extends Readonly<Record<string, unknown>> {
  readonly name?: string;
  readonly platform?: string;
  readonly pull?: string;
  readonly quiet?: boolean;
  readonly cidfile?: string;
  readonly network?: string;
  readonly attach?: readonly string[];
  readonly interactive?: boolean;
  readonly tty?: boolean;
  readonly rm?: boolean;
}

export interface RunOptions extends CreateOptions {
  readonly detach?: boolean;
  readonly detachKeys?: string;
  readonly sigProxy?: boolean;
}

/** Prints the id. */
export async function create(
  client: ApiClient,
  image: string,
  command: readonly string[],
  options: CreateOptions,
): Promise<number> {
  process.stdout.write(`${await made(client, image, command, options, true)}\n`);
  return EXIT.ok;
}

export async function run(
  client: ApiClient,
  image: string,
  command: readonly string[],
  options: RunOptions,
): Promise<number> {
  const detach = options.detach === true;
  if (detach && options.attach) {
    throw new TswarmError(
      'invalid_argument',
      'conflicting options: cannot specify both --attach and --detach',
    );
  }
  if (!detach && options.tty && options.interactive && !process.stdin.isTTY) {
    throw new TswarmError('invalid_argument', 'the input device is not a TTY', {
      hint: 'Leave -t out.',
    });
  }
  try {
    return await ran(client, image, command, options);
  } catch (error) {
    // As a shell says it; docker's own failures are 125.
    reportFailure(error);
    const text = messageOf(error);
    if (/executable file not found|no such file or directory/i.test(text)) return 127;
    return /permission denied|exec format error/i.test(text) ? 126 : 125;
  }
}

async function ran(
  client: ApiClient,
  image: string,
  command: readonly string[],
  options: RunOptions,
): Promise<number> {
  const detach = options.detach === true;
  const id = await made(client, image, command, options, !detach);
  const start = (): Promise<void> => started(client, id, options.rm === true);
  if (detach) {
    await start();
    process.stdout.write(`${id}\n`);
    return EXIT.ok;
  }
  const only = streamsOf(options);
  return attachTo({ client }, id, {
    logs: false,
    stdin: options.interactive === true,
    waitFor: options.rm ? 'removed' : 'next-exit',
    ...(only ? { only } : {}),
    joined: start,
    ...(options.sigProxy === false ? { sigProxy: false } : {}),
    ...(options.detachKeys === undefined ? {} : { detachKeys: options.detachKeys }),
  });
}

/** One that cannot be started and was to be removed at its end is not left behind. */
async function started(client: ApiClient, id: string, isRemoved: boolean): Promise<void> {
  try {
    await client.post(`/containers/${id}/start`);
  } catch (error) {
    if (isRemoved)
      await client.delete(`/containers/${id}`, { query: { force: true } }).catch(() => {});
    throw error;
  }
}

/** @returns the id of a new container */
async function made(
  client: ApiClient,
  image: string,
  command: readonly string[],
  options: CreateOptions,
  isAttached: boolean,
): Promise<string> {
  const { cidfile, name, platform } = options;
  if (cidfile !== undefined && existsSync(cidfile)) {
    throw new TswarmError(
      'invalid_argument',
      `container ID file found, make sure the other container isn't running or delete ${cidfile}`,
    );
  }
  const policy = oneOf('pull', options.pull ?? 'missing', ['always', 'missing', 'never']);
  const body = createBody(image, command, options, isAttached);
  const post = (): Promise<Json> =>
    client.post<Json>('/containers/create', { query: { name, platform }, body });
  const fetched = {
    quiet: options.quiet === true,
    ...(platform === undefined ? {} : { platform }),
  };
  const fetch = (): Promise<string> => fetchImage(client, image, fetched);
  if (policy === 'always') await fetch();
  let answer: Json;
  try {
    answer = await post();
  } catch (error) {
    if (
      policy !== 'missing' ||
      !hasCode(error, 'not_found') ||
      !/no such image/i.test(String(error))
    )
      throw error;
    if (!options.quiet) process.stderr.write(`Unable to find image '${image}' locally\n`);
    await fetch();
    answer = await post();
  }
  for (const warning of (answer.Warnings ?? []) as readonly string[]) {
    process.stderr.write(`WARNING: ${warning}\n`);
  }
  const id = String(answer.Id);
  if (cidfile !== undefined) writeFileSync(cidfile, id);
  return id;
}

const STREAMS = ['stdin', 'stdout', 'stderr'] as const;

/** Undefined: what there is. @throws invalid_argument */
function streamsOf({ attach }: CreateOptions): readonly (typeof STREAMS)[number][] | undefined {
  if (attach === undefined) return undefined;
  const named = attach.map((each) => oneOf('attach', each.toLowerCase(), STREAMS));
  return STREAMS.filter((stream) => named.includes(stream));
}

/** POST /containers/create from a command line. */
export function createBody(
  image: string,
  command: readonly string[],
  options: CreateOptions,
  isAttached: boolean,
): Json {
  const { config, host, health, endpoint } = bodyOf(CREATE_FLAGS, options);
  const streams = streamsOf(options);
  const joins = (stream: string): boolean =>
    streams === undefined ? isAttached : streams.some((one) => one === stream);
  const isInteractive = options.interactive === true;
  const isHealthChanged = Object.keys(health).length > 0;
  const network = options.network ?? 'default';
  const isRemoved = options.rm === true;
  const { Name: restart = 'no' } = (host.RestartPolicy ?? {}) as { Name?: string };
  if (isRemoved && restart !== 'no' && restart !== '') {
    throw new TswarmError(
      'invalid_argument',
      'conflicting options: cannot specify both --restart and --rm',
    );
  }
  return {
    ...config,
    Image: image,
    ...(command.length > 0 ? { Cmd: command } : {}),
    Tty: options.tty === true,
    OpenStdin: isInteractive,
    StdinOnce: isInteractive && isAttached,
    AttachStdin: isInteractive && joins('stdin'),
    AttachStdout: joins('stdout'),
    AttachStderr: joins('stderr'),
    ...(isHealthChanged ? { Healthcheck: health } : {}),
    HostConfig: { ...host, NetworkMode: network, AutoRemove: isRemoved },
    ...(Object.keys(endpoint).length > 0
      ? { NetworkingConfig: { EndpointsConfig: { [network]: endpoint } } }
      : {}),
  };
}

export const UPDATE_FLAGS: readonly Flag[] = CREATE_FLAGS.filter(
  ({ isUpdate }) => isUpdate === true,
);

export function update(
  client: ApiClient,
  names: readonly string[],
  options: Readonly<Record<string, unknown>>,
): Promise<number> {
  const { host } = bodyOf(UPDATE_FLAGS, options);
  if (Object.keys(host).length === 0) {
    throw new TswarmError(
      'invalid_argument',
      'you must provide one or more flags when using this command',
    );
  }
  return forEachName(names, async (name) => {
    const { Warnings: warnings } = await client.post<Json>(
      `/containers/${encodeURIComponent(name)}/update`,
      { body: host },
    );
    for (const text of (warnings ?? []) as readonly string[]) process.stderr.write(`${text}\n`);
    process.stdout.write(`${name}\n`);
  });
}

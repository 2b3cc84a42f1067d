// tcompose exec: a command in a running container of a service, with a terminal when there is one. The exit code is the command's.
import { parseDetachKeys } from '#protocol/detach-keys';
import { TswarmError } from '#protocol/errors';
import type { ApiClient, Json } from '../client/http.ts';
import { followSize, joinStdio } from '../client/streams.ts';
import { hasNumber } from './containers.ts';
import type { ComposeContext } from './context.ts';
import { knownProject } from './known-project.ts';
import { projectContainers } from './ps.ts';

export interface ExecOptions {
  readonly detach?: boolean;
  readonly env?: readonly string[];
  readonly user?: string;
  readonly workdir?: string;
  readonly tty?: boolean;
  readonly privileged?: boolean;
  readonly index?: string;
  readonly detachKeys?: string;
}

export async function exec(
  context: ComposeContext,
  service: string,
  command: readonly string[],
  options: ExecOptions,
): Promise<number> {
  const container = await findContainer(context, service, options.index);
  return execIn(context.client, container, command, { ...options, stdin: true });
}

/** Runs a command in a container, joined with our streams. @returns its exit code */
export async function execIn(
  client: ApiClient,
  container: string,
  command: readonly string[],
  options: ExecOptions & { readonly stdin?: boolean },
): Promise<number> {
  const stdin = options.stdin === true;
  const tty =
    stdin && options.tty !== false && process.stdout.isTTY === true && process.stdin.isTTY === true;
  const detach = options.detach === true;
  const created = await client.post<Json>(`/containers/${container}/exec`, {
    body: {
      AttachStdin: stdin && !detach,
      AttachStdout: !detach,
      AttachStderr: !detach,
      Tty: tty,
      Cmd: command,
      Env: options.env ?? [],
      User: options.user ?? '',
      WorkingDir: options.workdir ?? '',
      Privileged: options.privileged === true,
      ...(options.detachKeys === undefined ? {} : { DetachKeys: options.detachKeys }),
      // The program's first look at its terminal sees the right size.
      ...(tty ? { ConsoleSize: [process.stdout.rows, process.stdout.columns] } : {}),
    },
  });
  const path = `/exec/${created.Id}`;
  if (detach) {
    await client.post(`${path}/start`, { body: { Detach: true, Tty: false } });
    return 0;
  }
  const { socket, head } = await client.hijack(`${path}/start`, {
    body: { Detach: false, Tty: tty },
  });
  const stopResizing = tty ? followSize(client, `${path}/resize`) : () => {};
  try {
    const detachKeys = parseDetachKeys(options.detachKeys ?? '');
    const how = await joinStdio(socket, head, { tty, stdin, detachKeys });
    if (how === 'detached') return 0;
  } finally {
    stopResizing();
  }
  return exitCodeOf(client, path);
}

/** The last output may be here before the end is written down. */
const END_POLL_MS = 20;

async function exitCodeOf(client: ApiClient, path: string): Promise<number> {
  for (;;) {
    const state = await client.get<Json>(`${path}/json`);
    if (state.Running !== true) return Number(state.ExitCode ?? 0);
    await new Promise((resolve) => setTimeout(resolve, END_POLL_MS));
  }
}

/** Id of the service's container with the given number; the first one that runs when none is given. */
export async function findContainer(
  context: ComposeContext,
  service: string,
  index: string | undefined,
): Promise<string> {
  const project = await knownProject(context, [service]);
  const containers = (await projectContainers(context, project.name, false)).filter(
    (container) =>
      (container.Labels as Record<string, string>)['com.docker.compose.service'] === service,
  );
  const named = containers.map((container) => ({
    id: String(container.Id),
    name: String((container.Names as readonly string[])[0]).replace(/^\//, ''),
  }));
  named.sort((a, b) => a.name.localeCompare(b.name, undefined, { numeric: true }));
  const found = index === undefined ? named[0] : named.find(({ name }) => hasNumber(name, index));
  if (!found) {
    const which = index === undefined ? '' : ` #${index}`;
    throw new TswarmError('not_found', `service "${service}"${which} is not running`, {
      hint: 'Look with "tcompose ps -a".',
    });
  }
  return found.id;
}

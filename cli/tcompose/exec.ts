// tcompose exec: a command in a running container of a service, with a terminal when there is one. The exit code is the command's.
import { TswarmError } from '#protocol/errors';
import type { Json } from '../client/http.ts';
import { followSize, joinStdio } from '../client/streams.ts';
import type { ComposeContext } from './context.ts';
import { projectContainers } from './ps.ts';

export interface ExecOptions {
  readonly detach?: boolean;
  readonly env?: readonly string[];
  readonly user?: string;
  readonly workdir?: string;
  readonly tty?: boolean;
  readonly privileged?: boolean;
  readonly index?: string;
}

export async function exec(
  context: ComposeContext,
  service: string,
  command: readonly string[],
  options: ExecOptions,
): Promise<number> {
  const { client } = context;
  const container = await findContainer(context, service, options.index);
  const tty =
    options.tty !== false && process.stdout.isTTY === true && process.stdin.isTTY === true;
  const detach = options.detach === true;
  const created = await client.post<Json>(`/containers/${container}/exec`, {
    body: {
      AttachStdin: !detach,
      AttachStdout: !detach,
      AttachStderr: !detach,
      Tty: tty,
      Cmd: command,
      Env: options.env ?? [],
      User: options.user ?? '',
      WorkingDir: options.workdir ?? '',
      Privileged: options.privileged === true,
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
    await joinStdio(socket, head, { tty, stdin: true });
  } finally {
    stopResizing();
  }
  const state = await client.get<Json>(`${path}/json`);
  return Number(state.ExitCode ?? 0);
}

/** Id of the service's container with the given number; the first one that runs when none is given. */
export async function findContainer(
  context: ComposeContext,
  service: string,
  index: string | undefined,
): Promise<string> {
  const { project } = context.load();
  if (!(service in project.services))
    throw new TswarmError('not_found', `no such service: ${service}`);
  const containers = (await projectContainers(context, project.name, false)).filter(
    (container) =>
      (container.Labels as Record<string, string>)['com.docker.compose.service'] === service,
  );
  const named = containers.map((container) => ({
    id: String(container.Id),
    name: String((container.Names as readonly string[])[0]).replace(/^\//, ''),
  }));
  named.sort((a, b) => a.name.localeCompare(b.name, undefined, { numeric: true }));
  const found =
    index === undefined ? named[0] : named.find(({ name }) => name.endsWith(`-${index}`));
  if (!found) {
    const which = index === undefined ? '' : ` #${index}`;
    throw new TswarmError('not_found', `service "${service}"${which} is not running`, {
      hint: 'Look with "tcompose ps -a".',
    });
  }
  return found.id;
}

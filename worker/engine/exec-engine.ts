// The Engine API's exec calls.
import { parseDetachKeys } from '#protocol/detach-keys';
import type { AttachedStream, EngineJson, ExecEngine } from '#protocol/engine';
import { TswarmError } from '#protocol/errors';
import type { ContainerTable } from '../runtime/container.ts';
import { noSuchContainer } from '../runtime/container-errors.ts';
import type { Execs } from '../runtime/execs.ts';
import { Body } from './json.ts';

export class NodeExecEngine implements ExecEngine {
  readonly #table: ContainerTable;
  readonly #execs: Execs;

  constructor(table: ContainerTable, execs: Execs) {
    this.#table = table;
    this.#execs = execs;
  }

  async create(idOrName: string, json: EngineJson): Promise<EngineJson> {
    const container = this.#table.find(idOrName);
    if (!container) throw noSuchContainer(idOrName);
    const body = new Body(json, '');
    const command = body.texts('Cmd') ?? [];
    if (command.length === 0) {
      throw new TswarmError('invalid_argument', 'No exec command specified', { field: 'Cmd' });
    }
    parseDetachKeys(body.text('DetachKeys'));
    const [height = 0, width = 0] = (body.list('ConsoleSize') ?? []).map(Number);
    const exec = this.#execs.create(
      container,
      {
        command,
        env: body.texts('Env') ?? [],
        workingDir: body.text('WorkingDir'),
        user: body.text('User'),
        tty: body.flag('Tty'),
        privileged: body.flag('Privileged'),
        ...(height > 0 && width > 0 ? { consoleSize: { width, height } } : {}),
      },
      {
        stdin: body.flag('AttachStdin'),
        stdout: body.flag('AttachStdout'),
        stderr: body.flag('AttachStderr'),
        detachKeys: body.text('DetachKeys'),
      },
      idOrName,
    );
    return { Id: exec.id };
  }

  start(
    id: string,
    options: { detach: boolean; tty: boolean; size?: { width: number; height: number } },
  ): Promise<AttachedStream | undefined> {
    return this.#execs.start(this.#execs.get(id), {
      detach: options.detach,
      ...(options.size ? { size: options.size } : {}),
    });
  }

  async resize(id: string, size: { width: number; height: number }): Promise<void> {
    this.#execs.resize(this.#execs.get(id), size);
  }

  async inspect(id: string): Promise<EngineJson> {
    const exec = this.#execs.get(id);
    const { request } = exec;
    return {
      ID: exec.id,
      Running: exec.running,
      ExitCode: exec.exitCode,
      ProcessConfig: {
        tty: request.tty,
        entrypoint: request.command[0] ?? '',
        arguments: request.command.slice(1),
        privileged: request.privileged,
        ...(request.user === '' ? {} : { user: request.user }),
      },
      OpenStdin: exec.attachStdin,
      OpenStderr: exec.attachStderr,
      OpenStdout: exec.attachStdout,
      CanRemove: !exec.running && exec.started,
      ContainerID: exec.container.id,
      DetachKeys: exec.detachKeys,
      Pid: exec.pid,
    };
  }
}

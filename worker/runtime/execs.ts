// Execs: created, then started once, then remembered with their exit code for a while. An exec belongs to its container and goes with it.

import type { AttachedStream } from '#protocol/engine';
import { messageOf, TswarmError } from '#protocol/errors';
import { newContainerId } from '#protocol/ids';
import { EXECS_REMEMBERED_MAX } from '../limits.ts';
import type { Container } from './container.ts';
import { emitContainer } from './container-events.ts';
import type { RuntimeDeps } from './deps.ts';
import type { ExecRequest } from './exec-process.ts';
import { execProcessOf } from './exec-process.ts';
import type { ShimStream } from './shim-client.ts';
import { createError, startExitCode } from './shim-spawn.ts';

export interface Exec {
  readonly id: string;
  readonly container: Container;
  readonly request: ExecRequest;
  readonly attachStdin: boolean;
  readonly attachStdout: boolean;
  readonly attachStderr: boolean;
  readonly detachKeys: string;
  running: boolean;
  started: boolean;
  exitCode: number | null;
  pid: number;
  stream: ShimStream | undefined;
}

export class Execs {
  readonly #deps: RuntimeDeps;
  readonly #execs = new Map<string, Exec>();

  constructor(deps: RuntimeDeps) {
    this.#deps = deps;
  }

  /** `shownName`: what the caller named the container by. @throws conflict when it does not run or is paused */
  create(
    container: Container,
    request: ExecRequest,
    attach: {
      readonly stdin: boolean;
      readonly stdout: boolean;
      readonly stderr: boolean;
      readonly detachKeys: string;
    },
    shownName?: string,
  ): Exec {
    requireRunning(container, shownName);
    const exec: Exec = {
      id: newContainerId(this.#deps.random),
      container,
      request,
      attachStdin: attach.stdin,
      attachStdout: attach.stdout,
      attachStderr: attach.stderr,
      detachKeys: attach.detachKeys,
      running: false,
      started: false,
      exitCode: null,
      pid: 0,
      stream: undefined,
    };
    this.#execs.set(exec.id, exec);
    container.execIds.add(exec.id);
    container.openExecIds.add(exec.id);
    this.#forgetOld(container);
    emitContainer(this.#deps, container, `exec_create: ${request.command.join(' ')}`, {
      execID: exec.id,
    });
    return exec;
  }

  /** @throws not_found "No such exec instance: …" */
  get(id: string): Exec {
    const exec = this.#execs.get(id);
    if (!exec || exec.container.removed) {
      throw new TswarmError('not_found', `No such exec instance: ${id}`);
    }
    return exec;
  }

  /** Runs it. @returns its streams, or undefined when detached */
  async start(
    exec: Exec,
    options: {
      readonly detach: boolean;
      readonly size?: { readonly width: number; readonly height: number };
    },
  ): Promise<AttachedStream | undefined> {
    if (exec.started) {
      throw new TswarmError('conflict', `Error: Exec command ${exec.id} has already run`);
    }
    const { container } = exec;
    requireRunning(container);
    exec.started = true;
    const request =
      options.size === undefined ? exec.request : { ...exec.request, consoleSize: options.size };
    emitContainer(this.#deps, container, `exec_start: ${request.command.join(' ')}`, {
      execID: exec.id,
    });
    const failed = (failure: TswarmError): never => {
      exec.exitCode = startExitCode(failure);
      container.openExecIds.delete(exec.id);
      throw failure;
    };
    // An unknown user, for one: the runtime has no part in that yet.
    const process = await execProcessOf(container, request, this.#deps).catch((error: unknown) =>
      failed(new TswarmError('command_not_executable', messageOf(error), { cause: error })),
    );
    let stream: ShimStream;
    try {
      const run = container.run;
      if (!run) throw new TswarmError('conflict', `container ${container.id} is not running`);
      stream = await run.shim.exec({
        process,
        stdin: exec.attachStdin && !options.detach,
        detach: options.detach,
      });
    } catch (error) {
      return failed(execError(error, request.command[0] ?? ''));
    }
    exec.running = true;
    exec.pid = stream.pid;
    exec.stream = stream;
    void stream.exit.then((exit) => this.#ended(exec, exit?.exitCode ?? -1));
    if (options.detach) {
      void drain(stream);
      return undefined;
    }
    return {
      tty: request.tty,
      output: stream.output,
      writeStdin: (chunk) => stream.write(chunk),
      closeStdin: () => stream.closeStdin(),
      detach: () => stream.close(),
    };
  }

  #ended(exec: Exec, exitCode: number): void {
    exec.container.openExecIds.delete(exec.id);
    exec.running = false;
    exec.exitCode = exitCode;
    exec.stream = undefined;
    emitContainer(this.#deps, exec.container, 'exec_die', {
      execID: exec.id,
      exitCode: String(exitCode),
    });
  }

  resize(exec: Exec, size: { readonly width: number; readonly height: number }): void {
    if (!exec.stream) {
      throw new TswarmError('conflict', `exec process ${exec.id} is not running`);
    }
    exec.stream.resize(size.width, size.height);
  }

  #forgetOld(container: Container): void {
    for (const id of container.execIds) {
      if (container.execIds.size <= EXECS_REMEMBERED_MAX) return;
      const exec = this.#execs.get(id);
      if (exec?.running) continue;
      container.execIds.delete(id);
      container.openExecIds.delete(id);
      this.#execs.delete(id);
    }
  }

  /** The container is gone. */
  forget(container: Container): void {
    for (const id of container.execIds) this.#execs.delete(id);
    container.execIds.clear();
    container.openExecIds.clear();
  }
}

function requireRunning(container: Container, shownName = container.id): void {
  if (container.state.status === 'paused') {
    throw new TswarmError(
      'conflict',
      `Container ${shownName} is paused, unpause the container before exec`,
    );
  }
  if (!container.run) {
    throw new TswarmError('conflict', `Container ${container.id} is not running`);
  }
}

async function drain(stream: ShimStream): Promise<void> {
  for await (const frame of stream.output) void frame;
}

/** What cannot be run for another reason than a missing program (no such folder, for one) counts as not executable, as Docker's 126 does. */
function execError(error: unknown, program: string): TswarmError {
  const created = createError(error, program);
  const isAsItIs = created.code === 'command_not_found' || created.code === 'conflict';
  return new TswarmError(
    isAsItIs ? created.code : 'command_not_executable',
    created.message.replace(
      'failed to create task for container: OCI runtime create failed: ',
      'OCI runtime exec failed: exec failed: ',
    ),
    { cause: error },
  );
}

// GET /tswarm/v1/exec: a program in a container of any node, by WebSocket (subprotocol tswarm.exec.v1). Binary messages carry bytes, with the stream in the first
// byte (0 stdin, 1 stdout, 2 stderr); text messages carry JSON: from the client `{type:"resize",width,height}` and `{type:"end-of-input"}`, to it
// `{type:"started"}`, then `{type:"exit",code}` or `{type:"error",code,detail,hint}` as the last. What is wrong with the container is said in such an error after
// the handshake, because a browser shows a page nothing of a handshake that was refused.
import type { Buffer } from 'node:buffer';
import type { EngineJson } from '#protocol/engine';
import { TswarmError } from '#protocol/errors';
import { type Context, type Route, requireSession } from '../context.ts';
import { problemOf } from '../http/errors.ts';
import type { Reply } from '../http/reply.ts';
import type { ApiRequest } from '../http/request.ts';
import { acceptSocket, CLOSE_NORMAL, type WebSocketStream } from '../http/websocket.ts';
import { EXEC_WORDS_MAX, TERMINAL_CELLS_MAX } from '../limits.ts';
import { type RunningProgram, runInContainer, type TerminalSize } from '../reach/container-exec.ts';
import type { ExecControl, ExecNotice } from './types.ts';

export const EXEC_PATH = '/tswarm/v1/exec';
export const EXEC_PROTOCOL = 'tswarm.exec.v1';

const STREAM = { stdin: 0, stdout: 1, stderr: 2 } as const;
/** Ctrl-C and Ctrl-D: how somebody at the keyboard leaves what runs in a shell, and the shell. */
const LEAVE = Uint8Array.of(3, 4);
/** The shell that the container has: the better one if there are two. */
const SHELL: readonly string[] = [
  '/bin/sh',
  '-c',
  'command -v bash >/dev/null 2>&1 && exec bash || exec sh',
];

export function execRoutes(context: Context): readonly Route[] {
  return [{ method: 'GET', pattern: EXEC_PATH, handler: (q, r) => exec(context, q, r) }];
}

interface Asked {
  readonly command: readonly string[];
  readonly tty: boolean;
  readonly size: TerminalSize | undefined;
  readonly spec: EngineJson;
}

async function exec(context: Context, request: ApiRequest, reply: Reply): Promise<void> {
  const asked = askedOf(request);
  const socket = acceptSocket(request.headers, reply, EXEC_PROTOCOL);
  let program: RunningProgram | undefined;
  try {
    const container = containerOf(context, request);
    const { spec, tty, size } = asked;
    program = await runInContainer(context, container, { spec, tty, size, signal: request.signal });
    await notify(socket, { type: 'started', container, command: asked.command });
    const isShell = asked.command === SHELL;
    const input = copyInput(socket, program, isShell);
    await copyOutput(socket, program);
    // It may have ended because of what the client sent.
    input.fault?.();
    await notify(socket, { type: 'exit', code: await program.exitCode() });
    await socket.close(CLOSE_NORMAL, 'the program has ended');
  } catch (error) {
    // Also when the client has gone: then nobody hears it.
    const { code, detail, hint } = problemOf(error);
    const known = hint === undefined ? {} : { hint };
    await notify(socket, { type: 'error', code, detail, ...known }).catch(() => undefined);
    await socket.close(CLOSE_NORMAL, 'not possible');
  } finally {
    program?.close();
  }
}

function askedOf({ query }: ApiRequest): Asked {
  const words = query.all('command');
  if (words.length > EXEC_WORDS_MAX || words[0] === '') {
    throw new TswarmError('invalid_argument', `command: 1 to ${EXEC_WORDS_MAX} words`, {
      field: 'command',
    });
  }
  const command = words.length === 0 ? SHELL : words;
  const tty = query.bool('tty', true);
  const width = cells(query.int('width', 0, 400), 'width');
  const height = cells(query.int('height', 0, 400), 'height');
  const size = tty && width > 0 && height > 0 ? { width, height } : undefined;
  const spec: EngineJson = {
    AttachStdin: true,
    AttachStdout: true,
    AttachStderr: true,
    Tty: tty,
    Cmd: command,
    User: query.text('user'),
    WorkingDir: query.text('workdir'),
    Env: tty ? ['TERM=xterm-256color'] : [],
  };
  return { command, tty, size, spec };
}

function cells(count: number, field: string): number {
  if (count >= 0 && count <= TERMINAL_CELLS_MAX) return count;
  throw new TswarmError('invalid_argument', `${field}: 0 to ${TERMINAL_CELLS_MAX}`, { field });
}

/** @throws TswarmError not_found, failed_precondition */
function containerOf(context: Context, { query }: ApiRequest): string {
  const [taskId, name] = [query.text('task'), query.text('container')];
  if ((taskId === '') === (name === '')) {
    throw new TswarmError('invalid_argument', 'name either a task or a container', {
      field: 'task',
    });
  }
  if (name !== '') return name;
  const task = requireSession(context).cache.get('task', taskId);
  if (!task) throw new TswarmError('not_found', `task ${taskId.slice(0, 40)} not found`);
  const id = task.status?.containerStatus?.containerId ?? '';
  if (id !== '') return id;
  throw new TswarmError('failed_precondition', `task ${taskId} has no container yet`, {
    hint: `Why it waits: tswarm why ${taskId}`,
  });
}

function notify(socket: WebSocketStream, notice: ExecNotice): Promise<void> {
  return socket.sendText(JSON.stringify(notice));
}

async function copyOutput(socket: WebSocketStream, program: RunningProgram): Promise<void> {
  for await (const { stream, data } of program.output) {
    await socket.sendBinary(Uint8Array.of(STREAM[stream]), data);
  }
}

/**
 * Until the client closes or goes. A program goes on without it, as with docker exec; a shell would wait for its next command for ever, and is told to end.
 * `fault` throws what was wrong with a message, if it was that.
 */
function copyInput(
  socket: WebSocketStream,
  program: RunningProgram,
  isShell: boolean,
): { fault?: () => never } {
  const input: { fault?: () => never } = {};
  const copy = async (): Promise<void> => {
    for await (const { isText, data } of socket.messages()) {
      if (isText) await control(program, data);
      else if (data[0] === STREAM.stdin) {
        // What comes after the program's end is dropped.
        await program.write(data.subarray(1)).catch(() => undefined);
      }
    }
  };
  copy()
    .catch((error: unknown) => {
      input.fault = () => {
        throw error;
      };
    })
    .then(() => (isShell ? program.write(LEAVE) : undefined))
    // The shell may have ended by itself.
    .catch(() => undefined)
    .finally(() => program.close());
  return input;
}

async function control(program: RunningProgram, data: Buffer): Promise<void> {
  let asked: Partial<ExecControl>;
  try {
    asked = JSON.parse(data.toString()) as Partial<ExecControl>;
  } catch {
    throw new TswarmError('invalid_argument', 'a text message must be JSON');
  }
  if (asked?.type === 'end-of-input') program.closeInput();
  else if (asked?.type === 'resize') {
    const width = cells(Number(asked.width), 'width');
    const height = cells(Number(asked.height), 'height');
    // A program that has just ended has no terminal any more.
    await program.resize({ width, height }).catch(() => undefined);
  } else throw new TswarmError('invalid_argument', 'type: must be resize or end-of-input');
}

// A program run in a container of any node: on this one through its engine, on another through that node's API, as Reach does for the Engine API's exec.
// Callers see one shape, whichever it was.
import { Buffer } from 'node:buffer';
import type { Duplex } from 'node:stream';
import type { EngineJson, OutputFrame } from '#protocol/engine';
import type { Context } from '../context.ts';
import { decodeFrames } from '../http/frames.ts';
import { callNode, callNodeJson, errorOfAnswer, type NodeAnswer } from './node-http.ts';
import { type OtherNode, OtherNodes } from './other-nodes.ts';

export interface TerminalSize {
  readonly width: number;
  readonly height: number;
}

export interface RunOptions {
  /** Body of POST /containers/{id}/exec. */
  readonly spec: EngineJson;
  readonly tty: boolean;
  readonly size: TerminalSize | undefined;
  readonly signal: AbortSignal;
}

export interface RunningProgram {
  /** Ends with the program. With a terminal all of it is `stdout`. */
  readonly output: AsyncIterable<OutputFrame>;
  write(chunk: Uint8Array): Promise<void>;
  closeInput(): void;
  resize(size: TerminalSize): Promise<void>;
  /** Once the output has ended. */
  exitCode(): Promise<number>;
  /** Lets go of it. */
  close(): void;
}

/** Starts a program in a container, `name@node` where a name is not enough. @throws TswarmError when it cannot be found or started */
export async function runInContainer(
  context: Context,
  container: string,
  options: RunOptions,
): Promise<RunningProgram> {
  const nodes = new OtherNodes(context);
  const { node, name } = await nodes.find(container, options.signal);
  return node ? runThere(nodes, node, name, options) : runHere(context, name, options);
}

async function runHere(
  { engine }: Context,
  container: string,
  { spec, tty, size }: RunOptions,
): Promise<RunningProgram> {
  const { Id } = await engine.exec.create(container, spec);
  const id = String(Id);
  const attached = await engine.exec.start(id, { detach: false, tty, ...(size ? { size } : {}) });
  if (!attached) throw new Error('bug: an attached exec without a stream');
  return {
    output: attached.output,
    write: (chunk) => attached.writeStdin(chunk),
    closeInput: () => attached.closeStdin(),
    resize: (to) => engine.exec.resize(id, to),
    exitCode: async () => Number((await engine.exec.inspect(id)).ExitCode ?? -1),
    close: () => attached.detach(),
  };
}

const API = '/v1.44';

async function runThere(
  nodes: OtherNodes,
  node: OtherNode,
  container: string,
  { spec, tty, size, signal }: RunOptions,
): Promise<RunningProgram> {
  const call = async (method: string, path: string, body?: object): Promise<EngineJson> => {
    const sent = body ? { headers: JSON_TYPE, body: jsonBody(body) } : {};
    const limit = AbortSignal.timeout(CALL_MS);
    const connection = nodes.dial(node);
    const target = `${API}${path}`;
    return ((await callNodeJson(connection, { method, target, signal: limit, ...sent })) ??
      {}) as EngineJson;
  };
  const created = await call('POST', `/containers/${encodeURIComponent(container)}/exec`, spec);
  const id = String(created.Id);
  const consoleSize = size ? { ConsoleSize: [size.height, size.width] } : {};
  const body = Buffer.from(JSON.stringify({ Detach: false, Tty: tty, ...consoleSize }));
  const answer = await callNode(nodes.dial(node), {
    method: 'POST',
    target: `${API}/exec/${id}/start`,
    headers: { ...JSON_TYPE, 'content-length': String(body.length) },
    body: once(body),
    upgrade: true,
    signal,
  });
  const { connection, head } = await takenOf(answer);
  const bytes = both(head, connection);
  return {
    output: tty ? asStdout(bytes) : decodeFrames(bytes),
    write: (chunk) => written(connection, chunk),
    closeInput: () => connection.end(),
    resize: async (to) => {
      await call('POST', `/exec/${id}/resize?w=${to.width}&h=${to.height}`);
    },
    exitCode: async () => Number((await call('GET', `/exec/${id}/json`)).ExitCode ?? -1),
    close: () => connection.destroy(),
  };
}

/** A short call of another node's API. */
const CALL_MS = 10_000;
const JSON_TYPE = { 'content-type': 'application/json' };

async function* jsonBody(value: object): AsyncIterable<Uint8Array> {
  yield Buffer.from(JSON.stringify(value));
}

async function* once(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  yield bytes;
}

/** The connection of an exec that was started. @throws what the node answered instead */
async function takenOf({ message, taken }: NodeAnswer): Promise<NonNullable<NodeAnswer['taken']>> {
  if (taken) return taken;
  throw await errorOfAnswer(message);
}

async function* both(head: Uint8Array, connection: Duplex): AsyncIterable<Uint8Array> {
  if (head.length > 0) yield head;
  for await (const chunk of connection) yield chunk as Uint8Array;
}

async function* asStdout(bytes: AsyncIterable<Uint8Array>): AsyncIterable<OutputFrame> {
  for await (const data of bytes) yield { stream: 'stdout', data };
}

/** Resolves when there is room again, or the connection has gone. */
async function written(connection: Duplex, chunk: Uint8Array): Promise<void> {
  if (connection.destroyed || connection.write(chunk)) return;
  await new Promise((resolve) => {
    connection.once('drain', resolve);
    connection.once('close', resolve);
  });
}

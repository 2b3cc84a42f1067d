// HTTP with another node's docker.sock, over a connection that the leader makes (ClusterSession.dial). One connection for one request: a stream that
// ends with its connection cannot be mixed up with another answer.
import { Buffer } from 'node:buffer';
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { messageOf, TswarmError } from '#protocol/errors';
import { EngineError } from '../http/errors.ts';
import { REACH_BODY_BYTES_MAX } from '../limits.ts';

export interface NodeCall {
  readonly method: string;
  /** Path and query, with the version prefix if any. */
  readonly target: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent in chunks. */
  readonly body?: AsyncIterable<Uint8Array>;
  /** Ask for the connection itself (attach, exec). */
  readonly upgrade?: boolean;
  readonly signal: AbortSignal;
}

export interface NodeAnswer {
  readonly message: IncomingMessage;
  /** The connection, when it was asked for and given; `head` came with the answer. */
  readonly taken?: { readonly connection: Duplex; readonly head: Uint8Array };
}

/** Resolves with the answer's head. @throws TswarmError unavailable when the node cannot be reached */
export function callNode(connection: Duplex, call: NodeCall): Promise<NodeAnswer> {
  // Loaded when it is first needed: an import would cost every node the memory of an HTTP client.
  const { request } = process.getBuiltinModule('node:http');
  return new Promise((resolve, reject) => {
    const { method, target, signal } = call;
    const outgoing = request({
      method,
      path: target,
      headers: { host: 'node', ...call.headers, ...connectionHeaders(call) },
      createConnection: () => connection,
      signal,
    });
    outgoing.on('response', (message) => resolve({ message }));
    outgoing.on('upgrade', (message, taken, head) =>
      resolve({ message, taken: { connection: taken as Duplex, head } }),
    );
    outgoing.on('error', (error) => {
      connection.destroy();
      reject(asOurs(error));
    });
    void send(outgoing, call.body);
  });
}

function connectionHeaders({ upgrade }: NodeCall): Record<string, string> {
  return upgrade ? { connection: 'Upgrade', upgrade: 'tcp' } : { connection: 'close' };
}

function asOurs(error: Error): TswarmError {
  if (error instanceof TswarmError) return error;
  return new TswarmError('unavailable', `the connection to the node ended: ${messageOf(error)}`, {
    retryable: true,
    cause: error,
  });
}

async function send(
  outgoing: ReturnType<typeof import('node:http').request>,
  body: AsyncIterable<Uint8Array> | undefined,
): Promise<void> {
  try {
    for await (const chunk of body ?? []) {
      if (outgoing.write(chunk)) continue;
      await new Promise((resolve) => {
        outgoing.once('drain', resolve);
        outgoing.once('close', resolve);
      });
      if (outgoing.destroyed) return;
    }
    outgoing.end();
  } catch (error) {
    outgoing.destroy(error instanceof Error ? error : new Error(String(error)));
  }
}

/** A whole JSON answer. @throws what the node answered as TswarmError */
export async function callNodeJson(connection: Duplex, call: NodeCall): Promise<unknown> {
  const { message } = await callNode(connection, call);
  const text = await textOf(message);
  const status = message.statusCode ?? 500;
  if (status < 400) return text === '' ? undefined : JSON.parse(text);
  throw errorOf(status, text);
}

/** What a node said instead of doing what it was asked. */
export async function errorOfAnswer(message: IncomingMessage): Promise<TswarmError> {
  return errorOf(message.statusCode ?? 500, await textOf(message));
}

async function textOf(message: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of message as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > REACH_BODY_BYTES_MAX) {
        throw new TswarmError(
          'too_large',
          `the node's answer has more than ${REACH_BODY_BYTES_MAX} bytes`,
        );
      }
      chunks.push(chunk);
    }
  } catch (error) {
    throw asOurs(error as Error);
  }
  return Buffer.concat(chunks).toString();
}

/** What a node said, as it would have been said here. */
function errorOf(status: number, text: string): TswarmError {
  let said = text.trim();
  try {
    const { message } = JSON.parse(text) as { readonly message?: unknown };
    if (typeof message === 'string') said = message;
  } catch {
    // Not JSON: as it is.
  }
  return new EngineError(status === 404 ? 'not_found' : 'unavailable', status, said);
}

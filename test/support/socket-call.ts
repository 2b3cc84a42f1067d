// One call of the HTTP API over a unix socket, for tests that ask often or while something is broken: never rejects.
import { request } from 'node:http';

/** An answer that takes longer counts as none. */
const CALL_TIMEOUT_MS = 8_000;

export interface Answer {
  /** 0: no answer. */
  readonly status: number;
  readonly text: string;
  /** False: the answer says that no leader has confirmed it. */
  readonly isConfirmed: boolean;
}

export function callSocket(
  socketPath: string,
  method: string,
  path: string,
  body?: unknown,
): Promise<Answer> {
  return new Promise((resolve) => {
    const none = (error: Error): void => {
      resolve({ status: 0, text: error.message, isConfirmed: false });
    };
    const headers = { 'content-type': 'application/json' };
    const call = request({ socketPath, method, path, headers, timeout: CALL_TIMEOUT_MS });
    call.on('timeout', () => call.destroy(new Error('no answer in time')));
    call.on('error', none);
    call.on('response', (response) => {
      const isConfirmed = response.headers['x-tswarm-unconfirmed'] === undefined;
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('error', none);
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text, isConfirmed }));
    });
    call.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

// Goal: a registry that takes connections and says nothing, or stops in the middle of a blob, is given up, with a word on where it stuck. Method: a real
// listener that never writes (any more), short limits.
import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { HttpClient } from '#worker/images/registry/http';

const LIMIT_MS = 50;

let server: Server;
let port = 0;
/** Said to everybody who connects. */
let greeting = '';
const client = new HttpClient(LIMIT_MS, LIMIT_MS);

beforeEach(async () => {
  greeting = '';
  server = createServer((socket) => {
    socket.on('error', () => {});
    if (greeting !== '') socket.write(greeting);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  port = (server.address() as { port: number }).port;
});
afterEach(() => {
  client.close();
  server.close();
});

it.for([
  ['https', {}, 'TLS handshake timeout'],
  ['http', { answerMs: LIMIT_MS }, `no answer from 127.0.0.1:PORT for ${LIMIT_MS / 1000} s`],
] as const)('silent over %s', async ([scheme, limits, reason]) => {
  const url = new URL(`${scheme}://127.0.0.1:${port}/v2/`);
  const sent = client.send({ method: 'GET', url, headers: {}, ...limits });
  await expect(sent).rejects.toMatchObject({
    code: 'deadline_exceeded',
    message: `Get "${url.href}": ${reason.replace('PORT', String(port))}`,
  });
});

it('stops in the middle of a blob', async () => {
  greeting = 'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nthe first bytes';
  const url = new URL(`http://127.0.0.1:${port}/v2/app/blobs/x`);
  const { body } = await client.send({ method: 'GET', url, headers: {} });
  let read = '';
  await expect(
    (async () => {
      for await (const chunk of body) read += String(chunk);
    })(),
  ).rejects.toMatchObject({
    code: 'deadline_exceeded',
    retryable: true,
    message: `Get "${url.href}": no data from 127.0.0.1:${port} for ${LIMIT_MS / 1000} s`,
  });
  expect(read).toBe('the first bytes');
});

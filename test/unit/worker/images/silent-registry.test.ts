// Goal: a registry that takes connections and says nothing is given up in seconds, with a word on where it stuck. Method: a real listener that never
// writes, short limits.
import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { HttpClient } from '#worker/images/registry/http';

const LIMIT_MS = 50;

let server: Server;
let port = 0;
const client = new HttpClient(LIMIT_MS);

beforeEach(async () => {
  server = createServer((socket) => socket.on('error', () => {}));
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

// A program for net.test.ts, run in a network namespace: clients that use their ports again and again, at 127.0.0.1:80, where 127.0.0.2 or 127.0.0.3 answers with its
// address, by chance. Calls to the first are reset at once; on those to the second something is said a moment later. Many other flows make the list of all of them long.
// Says "ready", and prints how many of the second kind there were, and on how many nothing could be said, once there were CALLS. Then it ends.
import { execFileSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { PATIENCE } from './programs.ts';

const PORTS = 40;
const FIRST_PORT = 30_000;
const CALLS = 600;
const OTHER_FLOWS = 20_000;
/** Longer than the list takes on an idle machine. */
const SILENCE_MS = 40;
/** Calls to the first may be forgotten before they are answered. */
const CALL_MS = 500;
const ANSWER_MS = 5_000 * PATIENCE;

const rule =
  'dnat ip addr . port to numgen random mod 2 map { 0 : 127.0.0.2 . 8080, 1 : 127.0.0.3 . 8080 }';
const input = `table ip reuse {
  chain c {
    type nat hook output priority -100
    ip daddr 127.0.0.1 tcp dport 80 ${rule}
  }
}
`;

/** What the other end says; '' = the connection has ended, or nothing is heard. */
async function heard(socket: Socket, timeoutMs: number): Promise<string> {
  const answer = once(socket, 'data', { signal: AbortSignal.timeout(timeoutMs) });
  return answer.then(
    ([data]) => String(data),
    () => '',
  );
}

const counts = { second: 0, broken: 0 };

async function calls(localPort: number): Promise<void> {
  while (counts.second < CALLS) {
    const socket = connect({ host: '127.0.0.1', port: 80, localAddress: '127.0.0.1', localPort });
    socket.on('error', () => {});
    const closed = new Promise((resolve) => socket.once('close', resolve));
    if ((await heard(socket, CALL_MS)) === '127.0.0.3') {
      counts.second += 1;
      await new Promise((resolve) => setTimeout(resolve, SILENCE_MS));
      const answer = heard(socket, ANSWER_MS);
      socket.write('x');
      if ((await answer) !== 'x') counts.broken += 1;
    }
    // One that is not yet connected would wait for that to be reset.
    if (socket.connecting) socket.destroy();
    else socket.resetAndDestroy();
    await closed;
  }
}

execFileSync('nft', ['-f', '-'], { input });
for (const host of ['127.0.0.2', '127.0.0.3']) {
  const server = createServer((socket) => {
    socket.on('error', () => {}).pipe(socket);
    socket.write(host);
  });
  server.listen(8080, host);
  await once(server, 'listening');
}
const other = createSocket('udp4');
for (let i = 0; i < OTHER_FLOWS; i++) {
  const sent = new Promise((resolve) => other.send('x', 10_000 + i, '127.0.0.4', resolve));
  if (i % 100 === 0) await sent;
}
const all = Array.from({ length: PORTS }, (_, i) => calls(FIRST_PORT + i));
process.stdout.write('ready\n');
await Promise.all(all);
process.stdout.write(`${JSON.stringify(counts)}\n`);
process.exit(0);

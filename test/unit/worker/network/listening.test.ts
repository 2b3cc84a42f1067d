// Waiting for a listener, with this very process as the container: its tables of sockets are the kernel's own.
import { createServer, type Server } from 'node:net';
import { describe, expect, it } from 'vitest';
import { listening } from '#worker/network/listening';

async function listenOn(host: string): Promise<{ readonly server: Server; readonly port: number }> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  const address = server.address();
  return { server, port: address !== null && typeof address === 'object' ? address.port : 0 };
}

const never = (): boolean => false;

describe('a container that publishes a port', () => {
  it('is waited for until it listens on it', async () => {
    const { server, port } = await listenOn('0.0.0.0');
    await new Promise((resolve) => server.close(resolve));
    let isThere = false;
    const waiting = listening({ pid: process.pid, ports: [port], isOver: never }).then(
      (missing) => {
        expect(isThere).toBe(true);
        return missing;
      },
    );
    await new Promise((resolve) => setTimeout(resolve, 30));
    isThere = true;
    await new Promise<void>((resolve) => server.listen(port, '0.0.0.0', resolve));
    expect(await waiting).toEqual([]);
    server.close();
  });

  it('is not waited for any longer once it has ended', async () => {
    const { server, port } = await listenOn('127.0.0.1');
    let looks = 0;
    const isOver = (): boolean => ++looks > 2;
    // One that only it can connect to does not count.
    expect(await listening({ pid: process.pid, ports: [port], isOver })).toEqual([port]);
    server.close();
  });
});

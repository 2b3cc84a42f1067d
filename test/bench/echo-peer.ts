// The server that does nothing (echo-server.ts), started in a process of its own, with a channel to it.
import { fork } from 'node:child_process';
import * as grpc from '@grpc/grpc-js';
import { CERTIFICATE_ROLE } from '#protocol/certificates';
import { connectChannel } from '#protocol/transport/grpc';
import { testCa } from '../unit/manager/support/pki.ts';
import type { EchoRequest } from './echo-server.ts';

export interface EchoPeer {
  readonly channel: grpc.Client;
  stop(): Promise<void>;
}

/** `plain`: without TLS. */
export async function startEcho(plain: boolean): Promise<EchoPeer> {
  const ca = testCa();
  const child = fork(new URL('./echo-server.ts', import.meta.url).pathname, [], {
    execArgv: ['--conditions=source'],
  });
  const port = new Promise<number>((resolve) => {
    child.once('message', (message) => resolve(message as number));
  });
  const identity = ca.identity('m1', CERTIFICATE_ROLE.manager);
  child.send({ plain, identity } satisfies EchoRequest);
  const address = `127.0.0.1:${await port}`;
  const channel = plain
    ? new grpc.Client(address, grpc.credentials.createInsecure())
    : connectChannel(address, ca.identity('n1', CERTIFICATE_ROLE.admin), 'swarm-manager');
  return {
    channel,
    async stop() {
      channel.close();
      child.kill();
    },
  };
}

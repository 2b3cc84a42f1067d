// A gRPC server whose one answer is empty, in a process of its own: what a call costs before anybody
// has done anything. The same transport as a manager's; `plain` leaves TLS out, which exists in this
// bench only. Says its port to the parent.
import * as grpc from '@grpc/grpc-js';
import { ControlService } from '#protocol/generated/control';
import {
  createServer,
  listen,
  methodDefinition,
  serverCredentials,
  type TlsIdentity,
} from '#protocol/transport/grpc';

/** What the parent sends to begin with. */
export interface EchoRequest {
  readonly plain: boolean;
  readonly identity: TlsIdentity;
}

async function serve({ plain, identity }: EchoRequest): Promise<void> {
  const server = createServer();
  const createObject = methodDefinition(ControlService.methods.createObject);
  server.addService(
    { createObject },
    {
      createObject: (_call: unknown, done: grpc.sendUnaryData<unknown>) =>
        done(null, { object: undefined, index: 1, warnings: [] }),
    },
  );
  const credentials = plain
    ? grpc.ServerCredentials.createInsecure()
    : serverCredentials(identity, true);
  process.send?.(await listen(server, '127.0.0.1:0', credentials));
}

process.once('message', (request: EchoRequest) => void serve(request));
process.once('disconnect', () => process.exit());

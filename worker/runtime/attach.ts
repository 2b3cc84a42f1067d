// Attaching to a container's streams: now when it runs, at its start when it does not run yet (docker run attaches before it starts).

import type { AttachedStream, OutputFrame } from '#protocol/engine';
import { TswarmError } from '#protocol/errors';
import { deferred } from '../queue.ts';
import type { Container, PendingAttach } from './container.ts';
import type { ShimStream } from './shim-client.ts';

export interface AttachRequest {
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
}

/** The container's streams. Ends when the process has ended, or when it turns out that it is not started. */
export async function attachContainer(
  container: Container,
  request: AttachRequest,
): Promise<AttachedStream> {
  const { config } = container.record;
  if (container.state.status === 'paused') {
    throw new TswarmError(
      'conflict',
      `container ${container.id} is paused, unpause the container before attach`,
    );
  }
  const options = { ...request, stdin: request.stdin && config.OpenStdin };
  const run = container.run;
  const stream = run ? await run.shim.attach(options) : undefined;
  return streamOf(container, options, stream);
}

function streamOf(
  container: Container,
  options: AttachRequest,
  now: ShimStream | undefined,
): AttachedStream {
  const pending: PendingAttach = { options, stream: deferred<ShimStream | undefined>() };
  if (now) pending.stream.resolve(now);
  else container.pendingAttaches.add(pending);
  const whenReady = (use: (stream: ShimStream) => void): void => {
    void pending.stream.promise.then((stream) => {
      if (stream) use(stream);
    });
  };
  return {
    tty: container.record.config.Tty,
    output: outputOf(pending),
    writeStdin: async (chunk) => {
      const stream = await pending.stream.promise;
      if (stream && options.stdin) await stream.write(chunk);
    },
    closeStdin: () => {
      // Without StdinOnce the program keeps its input open for the next client.
      if (options.stdin && container.record.config.StdinOnce) {
        whenReady((stream) => stream.closeStdin());
      }
    },
    detach: () => {
      container.pendingAttaches.delete(pending);
      pending.stream.resolve(undefined);
      whenReady((stream) => stream.close());
    },
  };
}

async function* outputOf(pending: PendingAttach): AsyncGenerator<OutputFrame> {
  const stream = await pending.stream.promise;
  if (stream) yield* stream.output;
}

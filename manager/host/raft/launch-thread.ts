// Starts the Raft thread as a thread of this process. Kept apart from the client, so that the client
// itself runs wherever somebody else plays the thread.
import { Worker } from 'node:worker_threads';
import type { FromThread, ThreadData, ThreadEvents, ThreadLink } from './thread-messages.ts';

/** Compiled code has a compiled thread beside it; in development both are TypeScript. */
export function launchRaftThread(data: ThreadData, events: ThreadEvents): ThreadLink {
  const isSource = import.meta.url.endsWith('.ts');
  const entry = new URL(isSource ? './thread.ts' : './thread.js', import.meta.url);
  const execArgv = isSource ? ['--conditions=source'] : [];
  const worker = new Worker(entry, { name: 'raft', workerData: data, execArgv });
  worker.on('message', (message: FromThread) => events.message(message));
  worker.on('error', (error: Error) => events.error(error));
  worker.on('exit', () => events.exit());
  return {
    post: (message, transfer) => worker.postMessage(message, transfer),
    terminate: () => void worker.terminate(),
  };
}

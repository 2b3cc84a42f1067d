// A worker in a process of its own, so that a test can kill it: calls of the engine come as messages ({call, path, args}) and are answered ({call, result} or
// {call, error}). Started by KillableWorker (worker-process.ts) with the folder of the node as its argument.
import { join } from 'node:path';
import { createLog, nodeClock, nodeRandom } from '#protocol/transport/node-world';
import { createWorker } from '#worker/worker';

interface Call {
  readonly call: number;
  /** `containers.start`, `worker.join`, … */
  readonly path: string;
  readonly args: readonly unknown[];
}

const [folder = '', nativeDir = ''] = process.argv.slice(2);
const worker = createWorker(
  {
    dataRoot: join(folder, 'data'),
    runRoot: join(folder, 'run'),
    nativeDir,
    runtimePath: '',
    engineVersion: '0.1.0',
    labels: {},
    genericResources: [],
    insecureRegistries: [],
    registryMirrors: [],
  },
  { clock: nodeClock, random: nodeRandom, log: createLog({ level: 'error', format: 'text' }) },
);

process.on('message', (message: Call) => {
  answer(message).catch((error: unknown) =>
    process.send?.({ call: message.call, error: String(error) }),
  );
});

async function answer({ call, path, args }: Call): Promise<void> {
  const [area = '', method = ''] = path.split('.');
  const target = (area === 'worker' ? worker : Reflect.get(worker.engine, area)) as object;
  try {
    const run = Reflect.get(target, method) as (...values: readonly unknown[]) => unknown;
    const result: unknown = await run.apply(target, [...args]);
    process.send?.({
      call,
      result: result === undefined ? null : JSON.parse(JSON.stringify(result)),
    });
  } catch (error) {
    const { code, message } = error as { code?: string; message: string };
    process.send?.({ call, error: message, code });
  }
}

await worker.start();
process.send?.({ call: 0, result: 'ready' });

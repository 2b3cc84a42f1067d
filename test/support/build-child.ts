// A worker that builds and may be killed at any moment: the argument is its folder. Prints what the
// build prints.
import { NO_BUILD_LIMITS } from '#protocol/engine';
import { streamOf, tarOf } from './image-tar.ts';
import { WorkerNode } from './worker-node.ts';

const node = new WorkerNode(process.argv[2]);
await node.start();
await node.addImage();
const dockerfile =
  'FROM bb:1\nRUN echo cached > /cached\nCOPY f /f\nRUN --mount=target=/ctx echo now; sleep 600\n';
const context = streamOf(await tarOf({ Dockerfile: dockerfile, f: 'F' }));
const options = {
  dockerfile: '',
  tags: ['never:1'],
  target: '',
  buildArgs: {},
  labels: {},
  noCache: false,
  pull: false,
  quiet: false,
  events: false,
  networkMode: 'none',
  extraHosts: [],
  shmBytes: 0,
  noCacheFilter: [],
  ulimits: [],
  limits: NO_BUILD_LIMITS,
  entitlements: [],
  secrets: new Map(),
  sshAgents: {},
  contexts: {},
  platform: '',
  registryAuths: {},
};
const lines = await node.engine.images.build(context, options, new AbortController().signal);
for await (const line of lines) process.stdout.write(String(line.stream ?? line.error ?? ''));

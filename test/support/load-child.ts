// A program that loads an archive and may be killed at any moment: arguments are the image options
// as JSON and the archive's path.
import { createReadStream } from 'node:fs';
import { createLog, nodeClock, nodeRandom } from '#protocol/transport/node-world';
import { createImageService } from '#worker/images/image-store';
import type { ImageOptions } from '#worker/images/types';

const [, , options = '', archive = ''] = process.argv;
const service = await createImageService(JSON.parse(options) as ImageOptions, {
  clock: nodeClock,
  random: nodeRandom,
  log: createLog({ level: 'error', format: 'text' }),
  events: { emit: () => {} },
  containers: {
    resolve: () => undefined,
    list: () => [],
    frozen: (_id, work) => work(),
  },
});
process.stdout.write('started\n');
for await (const line of await service.api.load(createReadStream(archive), { quiet: true })) {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}
await service.stop();

// node --conditions=source ask-image.ts FOLDER ADDR NODE IMAGE: asks the node at ADDR for an image's configuration with the node identity in FOLDER, as another node does when it needs one, and prints what comes:
// `given`, or the code and message of the refusal. To be run on a node of a lab.

import { messageOf, TswarmError } from '#protocol/errors';
import { BlobReadRequest, ImageShareService } from '#protocol/generated/images';
import { clientOf, connectChannel } from '#protocol/transport/grpc';
import { NodeIdentityFile } from '#worker/identity/node-identity';

const ANSWER_MS = 20_000;
const [folder = '', addr = '', nodeId = '', imageId = ''] = process.argv.slice(2);
const identity = await new NodeIdentityFile(folder).load();
if (identity === undefined) throw new Error(`${folder} holds no identity`);
const channel = connectChannel(addr, identity, nodeId);
try {
  const signal = AbortSignal.timeout(ANSWER_MS);
  const request = BlobReadRequest.create({ digest: imageId });
  const pieces = clientOf(ImageShareService, channel).readBlob(request, { signal });
  for await (const _piece of pieces) break;
  process.stdout.write('given\n');
} catch (error) {
  const code = error instanceof TswarmError ? error.code : 'internal';
  process.stdout.write(`${code}: ${messageOf(error)}\n`);
} finally {
  channel.close();
}

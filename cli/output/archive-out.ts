// Where an archive goes that a daemon sends: a file, or standard output unless that is a terminal. One that was cut short is not left behind as if it were whole.
import { createWriteStream } from 'node:fs';
import { rm, stat } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { messageOf, TswarmError } from '#protocol/errors';

/** Before anything is asked for. @throws invalid_argument when the bytes would go to a terminal */
export function checkArchiveOutput(output: string | undefined): void {
  if (output !== undefined || !process.stdout.isTTY) return;
  throw new TswarmError('invalid_argument', 'an archive is nothing for a terminal', {
    hint: 'Name a file with -o, or redirect the output.',
  });
}

/** @throws failed_precondition when the file cannot be written or the stream breaks */
export async function writeArchive(
  archive: NodeJS.ReadableStream,
  output: string | undefined,
): Promise<void> {
  if (output === undefined) {
    await pipeline(archive, process.stdout, { end: false });
    return;
  }
  try {
    await pipeline(archive, createWriteStream(output, { flags: 'w' }));
  } catch (error) {
    // A device is not ours to take away.
    const isFile = await stat(output).then(
      (info) => info.isFile(),
      () => false,
    );
    if (isFile) await rm(output, { force: true });
    if (error instanceof TswarmError) throw error;
    throw new TswarmError('failed_precondition', `cannot write ${output}: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

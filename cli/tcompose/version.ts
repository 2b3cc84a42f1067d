// tcompose version: the client's own; asks nobody, so that it answers at once on any machine.
import { TswarmError } from '#protocol/errors';
import { EXIT } from '../output/fail.ts';
import { VERSION } from '../version.ts';

export async function version(options: {
  readonly short?: boolean;
  readonly format?: string;
}): Promise<number> {
  const { format = 'pretty' } = options;
  if (format !== 'pretty' && format !== 'json')
    throw new TswarmError('invalid_argument', `--format ${format}: must be pretty or json`);
  if (format === 'json') process.stdout.write(`${JSON.stringify({ version: VERSION })}\n`);
  else process.stdout.write(options.short ? `${VERSION}\n` : `tcompose version ${VERSION}\n`);
  return EXIT.ok;
}

// tcompose wait: until the services' containers have ended. The exit code is the last one's; with --down-project the project goes with the first end.
import { EXIT, reportFailure } from '../output/fail.ts';
import { serviceContainers } from './containers.ts';
import type { ComposeContext } from './context.ts';
import { down } from './down.ts';

/** docker compose's code for "the waiting itself failed". */
const WAIT_FAILED = 42;

export async function wait(
  context: ComposeContext,
  keys: readonly string[],
  options: { readonly downProject?: boolean },
): Promise<number> {
  const containers = await serviceContainers(context, keys, { all: true });
  if (containers.length === 0) {
    process.stderr.write('Error: no containers for the services to wait for\n');
    return WAIT_FAILED;
  }
  let last: number = EXIT.ok;
  const ends = containers.map(async ({ id, name }) => {
    const { StatusCode } = await context.client.post<{ StatusCode: number }>(
      `/containers/${id}/wait`,
    );
    process.stdout.write(`container "${name}" exited with status code ${StatusCode}\n`);
    last = StatusCode;
  });
  // With --down-project the others end because of the removal, and nobody waits for them any more.
  for (const end of ends) end.catch(() => {});
  try {
    await (options.downProject ? Promise.race(ends) : Promise.all(ends));
  } catch (error) {
    reportFailure(error);
    return WAIT_FAILED;
  }
  const code = last;
  if (options.downProject) await down(context, [], {});
  return code;
}

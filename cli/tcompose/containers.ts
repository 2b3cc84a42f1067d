// The project's containers as the verbs ask for them: by service, one-off containers of `run` apart, in the order of their names.
import type { Json } from '../client/http.ts';
import type { ComposeContext } from './context.ts';
import { projectName } from './known-project.ts';
import { projectContainers } from './ps.ts';

export interface ProjectContainer {
  readonly id: string;
  /** `shop-web-1` */
  readonly name: string;
  /** Key in the compose file. */
  readonly service: string;
  /** Made by `run`. */
  readonly isOneOff: boolean;
  readonly isRunning: boolean;
}

/** Containers of the named services, of all when none is named. @throws TswarmError not_found for a service that the file does not have */
export async function serviceContainers(
  context: ComposeContext,
  keys: readonly string[],
  options: { readonly all: boolean; readonly oneOff?: boolean },
): Promise<readonly ProjectContainer[]> {
  const found = await projectContainers(context, await projectName(context, keys), options.all);
  return found
    .map(containerOf)
    .filter((one) => keys.length === 0 || keys.includes(one.service))
    .filter((one) => options.oneOff === true || !one.isOneOff)
    .sort((a, b) => a.name.localeCompare(b.name, undefined, { numeric: true }));
}

function containerOf(container: Json): ProjectContainer {
  const labels = (container.Labels as Record<string, string> | null) ?? {};
  return {
    id: String(container.Id),
    name: String((container.Names as readonly string[])[0] ?? '').replace(/^\//, ''),
    service: labels['com.docker.compose.service'] ?? '',
    isOneOff: labels['com.docker.compose.oneoff'] === 'True',
    isRunning: container.State === 'running' || container.State === 'paused',
  };
}

/** Whether a container's name ends with a replica's number: `shop-web-2`, or `shop_web_2` with `--compatibility`. */
export function hasNumber(name: string, index: string): boolean {
  return name.endsWith(`-${index}`) || name.endsWith(`_${index}`);
}

// The smaller verbs: build, pull, rm, kill, port, top, ls, scale.
import type { StackSummary } from '#api/cluster/types';
import { messageOf, TswarmError } from '#protocol/errors';
import type { Json } from '../client/http.ts';
import { EXIT } from '../output/fail.ts';
import { ProgressDisplay } from '../output/progress.ts';
import { formatTable } from '../output/table.ts';
import type { ComposeContext } from './context.ts';
import { keyOf, planProject, selectServices } from './deploy.ts';
import { findContainer } from './exec.ts';
import { buildImage, ensureImages, pushImage } from './images.ts';
import { projectContainers } from './ps.ts';
import { changeRunState, projectName, stackServices } from './run-state.ts';
import { up } from './up.ts';

export async function build(
  context: ComposeContext,
  keys: readonly string[],
  options: { readonly cache?: boolean; readonly quiet?: boolean },
): Promise<number> {
  const { images } = planProject(context, keys, {});
  const wanted = images.filter(
    (image) => image.build && (keys.length === 0 || keys.includes(image.service)),
  );
  if (wanted.length === 0) process.stderr.write('No services to build\n');
  const display = new ProgressDisplay('Building', options.quiet ? 'quiet' : context.progress);
  try {
    for (const image of wanted) {
      await buildImage(
        context.client,
        image,
        { build: 'always', pull: '', noCache: options.cache === false },
        display,
      );
    }
    return EXIT.ok;
  } finally {
    display.stop();
  }
}

export async function pull(context: ComposeContext, keys: readonly string[]): Promise<number> {
  const { images } = planProject(context, keys, {});
  const wanted = images.filter(
    (image) => !image.build && (keys.length === 0 || keys.includes(image.service)),
  );
  const display = new ProgressDisplay('Pulling', context.progress);
  try {
    await ensureImages(context.client, wanted, { build: 'never', pull: 'always' }, display);
    return EXIT.ok;
  } finally {
    display.stop();
  }
}

export interface PushOptions {
  readonly quiet?: boolean;
  readonly includeDeps?: boolean;
  readonly ignorePushFailures?: boolean;
}

/** Images that are built here and have a name of their own go to their registries. */
export async function push(
  context: ComposeContext,
  keys: readonly string[],
  options: PushOptions,
): Promise<number> {
  const { images, stack, loaded } = planProject(context, keys, {});
  const selected = options.includeDeps
    ? selectServices(stack, keys, false, new Set()).services
    : [];
  const wanted = new Set([...keys, ...selected.map(keyOf)]);
  const display = new ProgressDisplay('Pushing', options.quiet ? 'quiet' : context.progress);
  try {
    for (const image of images) {
      if (!image.build || (keys.length > 0 && !wanted.has(image.service))) continue;
      if (loaded.project.services[image.service]?.image === undefined) {
        display.update(
          `Image ${image.image}`,
          'warning',
          'Skipped',
          'its service has no image name',
        );
        continue;
      }
      try {
        await pushImage(context.client, image.image, display);
      } catch (error) {
        if (options.ignorePushFailures !== true) throw error;
        display.say(`Warning: ${image.image}: ${messageOf(error)}`);
      }
    }
    return EXIT.ok;
  } finally {
    display.stop();
  }
}

export async function rm(
  context: ComposeContext,
  keys: readonly string[],
  options: { readonly force?: boolean; readonly stop?: boolean },
): Promise<number> {
  const stack = projectName(context, keys);
  if (options.stop) await changeRunState(context, keys, 'stopped');
  const services = await stackServices(context, stack, keys);
  const stopped = services.filter((service) => (service.Spec as Json).RunState === 'stopped');
  if (stopped.length === 0) {
    process.stderr.write('No stopped containers\n');
    return EXIT.ok;
  }
  if (
    !options.force &&
    !(await confirm(
      `Going to remove ${stopped.map((s) => (s.Spec as Json).Name).join(', ')}. Are you sure? [yN] `,
    ))
  ) {
    return EXIT.ok;
  }
  for (const service of stopped) {
    await context.client.delete(`/services/${service.ID}`);
    process.stderr.write(` Service ${(service.Spec as Json).Name}  Removed\n`);
  }
  return EXIT.ok;
}

async function confirm(question: string): Promise<boolean> {
  if (!process.stdin.isTTY) {
    throw new TswarmError('failed_precondition', 'nobody to ask: standard input is no terminal', {
      hint: 'Use -f.',
    });
  }
  process.stderr.write(question);
  process.stdin.resume();
  const answer = await new Promise<string>((resolve) =>
    process.stdin.once('data', (data) => resolve(String(data))),
  );
  process.stdin.pause();
  return /^y(es)?\s*$/i.test(answer.trim());
}

export async function kill(
  context: ComposeContext,
  keys: readonly string[],
  options: { readonly signal?: string },
): Promise<number> {
  const containers = await projectContainers(context, projectName(context, keys), false);
  for (const container of containers) {
    const key = (container.Labels as Record<string, string>)['com.docker.compose.service'] ?? '';
    if (keys.length > 0 && !keys.includes(key)) continue;
    await context.client.post(`/containers/${container.Id}/kill`, {
      query: { signal: options.signal ?? 'SIGKILL' },
    });
    process.stderr.write(
      ` Container ${String((container.Names as string[])[0]).replace(/^\//, '')}  Killed\n`,
    );
  }
  return EXIT.ok;
}

export async function port(
  context: ComposeContext,
  service: string,
  privatePort: string,
  options: { readonly protocol?: string; readonly index?: string },
): Promise<number> {
  const id = await findContainer(context, service, options.index);
  const detail = await context.client.get<Json>(`/containers/${id}/json`);
  const ports = (detail.NetworkSettings as Json).Ports as Record<string, readonly Json[] | null>;
  const bindings = ports[`${privatePort}/${options.protocol ?? 'tcp'}`] ?? [];
  const [binding] = bindings ?? [];
  if (!binding)
    throw new TswarmError(
      'not_found',
      `no port ${privatePort}/${options.protocol ?? 'tcp'} for container ${service}`,
    );
  process.stdout.write(`${binding.HostIp || '0.0.0.0'}:${binding.HostPort}\n`);
  return EXIT.ok;
}

export async function top(context: ComposeContext, keys: readonly string[]): Promise<number> {
  for (const container of await projectContainers(context, projectName(context, keys), false)) {
    const key = (container.Labels as Record<string, string>)['com.docker.compose.service'] ?? '';
    if (keys.length > 0 && !keys.includes(key)) continue;
    const result = await context.client.get<{ Titles: string[]; Processes: string[][] }>(
      `/containers/${container.Id}/top`,
    );
    process.stdout.write(`${String((container.Names as string[])[0]).replace(/^\//, '')}\n`);
    process.stdout.write(`${formatTable(result.Titles, result.Processes)}\n`);
  }
  return EXIT.ok;
}

export async function ls(
  context: ComposeContext,
  options: { readonly quiet?: boolean; readonly format?: string },
): Promise<number> {
  const stacks = await context.client.get<readonly StackSummary[]>('/tswarm/v1/stacks');
  const rows: { name: string; status: string; files: string }[] = [];
  for (const { name } of stacks) {
    const containers = await projectContainers(context, name, true);
    const states = new Map<string, number>();
    for (const { State } of containers)
      states.set(String(State), (states.get(String(State)) ?? 0) + 1);
    const detail = await context.client.get<{ services: readonly Json[] }>(
      `/tswarm/v1/stacks/${encodeURIComponent(name)}`,
    );
    const labels =
      ((detail.services[0]?.Spec as Json | undefined)?.Labels as
        | Record<string, string>
        | undefined) ?? {};
    rows.push({
      name,
      status: [...states]
        .sort()
        .map(([state, count]) => `${state}(${count})`)
        .join(', '),
      files: labels['com.docker.compose.project.config_files'] ?? '',
    });
  }
  if (options.quiet) process.stdout.write(rows.map((row) => `${row.name}\n`).join(''));
  else if (options.format === 'json') {
    process.stdout.write(
      `${JSON.stringify(rows.map((r) => ({ Name: r.name, Status: r.status, ConfigFiles: r.files })))}\n`,
    );
  } else {
    process.stdout.write(
      formatTable(
        ['NAME', 'STATUS', 'CONFIG FILES'],
        rows.map((r) => [r.name, r.status, r.files]),
      ),
    );
  }
  return EXIT.ok;
}

export async function scale(context: ComposeContext, pairs: readonly string[]): Promise<number> {
  const names = pairs.map((pair) => pair.split('=')[0] ?? '');
  return up(context, names, { detach: true, scale: pairs, deps: false });
}

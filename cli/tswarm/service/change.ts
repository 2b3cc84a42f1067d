// tswarm service create, update, rollback: flags become a specification, names become ids, tags become digests; then the rollout is followed unless detached.

import { TswarmError } from '#protocol/errors';
import { humanDuration } from '#protocol/human-duration';
import { call } from '../../client/cluster-call.ts';
import type { ApiClient, Json } from '../../client/http.ts';
import { EXIT } from '../../output/fail.ts';
import { ageMs } from '../../output/human.ts';
import { formatTable } from '../../output/table.ts';
import { pinnedImage, registryHeaders } from './image-digest.ts';
import { followRollout } from './rollout.ts';
import { applyFlags } from './spec-flags.ts';
import { child, type Options } from './spec-lists.ts';
import { integer, invalidFlag, type JsonObject, oneOf, words } from './values.ts';

const obj = (value: unknown): JsonObject =>
  typeof value === 'object' && value !== null ? (value as JsonObject) : {};

interface Command {
  readonly image: string;
  readonly command: readonly string[];
}

export async function create(
  client: ApiClient,
  { image, command }: Command,
  options: Options,
): Promise<number> {
  const spec: JsonObject = { Name: String(options.name ?? '') };
  const container = child(spec, 'TaskTemplate', 'ContainerSpec');
  if (command.length > 0) container.Args = command;
  spec.Mode = modeOf(options);
  applyFlags(spec, options);
  await resolveReferences(client, spec);
  // Last, because it may wait for a registry: what is wrong with the flags is said at once.
  container.Image = await pinnedImage(client, image, options);
  const made = await client.post<Json>('/services/create', {
    body: spec,
    headers: await registryHeaders(image, options),
  });
  for (const warning of (made.Warnings as readonly string[] | undefined) ?? []) {
    process.stderr.write(`Warning: ${warning}\n`);
  }
  const id = String(made.ID);
  process.stdout.write(`${id}\n`);
  return options.detach ? EXIT.ok : followRollout(client, id, { quiet: options.quiet === true });
}

function modeOf(options: Options): JsonObject {
  const mode = oneOf('mode', String(options.mode ?? 'replicated'), [
    'replicated',
    'global',
    'replicated-job',
    'global-job',
  ]);
  const replicas =
    options.replicas === undefined ? undefined : integer('replicas', String(options.replicas));
  const concurrent =
    options.maxConcurrent === undefined
      ? undefined
      : integer('max-concurrent', String(options.maxConcurrent), 1);
  if (replicas !== undefined && mode.startsWith('global')) {
    throw invalidFlag(
      'replicas',
      'replicas can only be used with replicated or replicated-job mode',
    );
  }
  if (concurrent !== undefined && mode !== 'replicated-job') {
    throw invalidFlag('max-concurrent', 'can only be used with replicated-job mode');
  }
  switch (mode) {
    case 'global':
      return { Global: {} };
    case 'global-job':
      return { GlobalJob: {} };
    case 'replicated-job':
      return {
        ReplicatedJob: {
          MaxConcurrent: concurrent ?? replicas ?? 1,
          TotalCompletions: replicas ?? concurrent ?? 1,
        },
      };
    default:
      return { Replicated: { Replicas: replicas ?? 1 } };
  }
}

export async function update(client: ApiClient, name: string, options: Options): Promise<number> {
  if (options.pause || options.resume) {
    const action = options.pause ? 'pause' : 'resume';
    const path = `/tswarm/v1/services/${encodeURIComponent(name)}/rollout`;
    await client.post(path, { query: { action } });
    process.stdout.write(`${name}\n`);
    if (action === 'pause' || options.detach) return EXIT.ok;
    return followRollout(client, name, { quiet: options.quiet === true });
  }
  if (options.rollback) return rollback(client, name, options);
  const service = await read(client, name);
  const spec = structuredClone(obj(service.Spec));
  const template = child(spec, 'TaskTemplate');
  const container = child(template, 'ContainerSpec');
  const image = options.image === undefined ? String(container.Image) : String(options.image);
  if (options.args !== undefined) container.Args = words('args', String(options.args));
  if (options.force) template.ForceUpdate = Number(template.ForceUpdate ?? 0) + 1;
  changeReplicas(spec, options);
  const given = await withNetworkIds(client, options);
  applyFlags(spec, given);
  await resolveReferences(client, spec);
  if (options.image !== undefined) {
    container.Image = await pinnedImage(client, image, options);
    // Which image that is on the nodes is found out anew, also for a name that has been built again.
    delete container.ImageID;
  }
  await send(client, service, { spec, headers: await registryHeaders(image, options) });
  process.stdout.write(`${name}\n`);
  if (options.detach) return EXIT.ok;
  return followRollout(client, String(service.ID), { quiet: options.quiet === true });
}

async function read(client: ApiClient, name: string): Promise<Json> {
  return call(client, 'GET /tswarm/v1/services/{id}', { params: { id: name } });
}

interface Change {
  readonly spec?: JsonObject;
  readonly rollback?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

async function send(client: ApiClient, service: Json, change: Change): Promise<void> {
  const answer = await client.post<Json>(`/tswarm/v1/services/${String(service.ID)}/update`, {
    query: {
      version: Number(obj(service.Version).Index ?? 0),
      rollback: change.rollback,
    },
    ...(change.spec ? { body: change.spec } : {}),
    ...(change.headers ? { headers: change.headers } : {}),
  });
  for (const warning of (answer.Warnings as readonly string[] | undefined) ?? []) {
    process.stderr.write(`Warning: ${warning}\n`);
  }
}

function changeReplicas(spec: JsonObject, options: Options): void {
  const mode = obj(spec.Mode);
  if (options.replicas !== undefined) {
    const replicas = integer('replicas', String(options.replicas));
    if (mode.ReplicatedJob) obj(mode.ReplicatedJob).TotalCompletions = replicas;
    else if (mode.Global || mode.GlobalJob) {
      throw invalidFlag(
        'replicas',
        'replicas can only be used with replicated or replicated-job mode',
      );
    } else spec.Mode = { Replicated: { Replicas: replicas } };
  }
  if (options.maxConcurrent !== undefined) {
    if (!mode.ReplicatedJob) {
      throw invalidFlag('max-concurrent', 'can only be used with replicated-job mode');
    }
    const value = integer('max-concurrent', String(options.maxConcurrent), 1);
    obj(mode.ReplicatedJob).MaxConcurrent = value;
  }
}

/** What is kept names networks by id; names to remove or to change have to become ids first. */
async function withNetworkIds(client: ApiClient, options: Options): Promise<Options> {
  const rename = async (text: string): Promise<string> => {
    const name = /(?:^|,)name=([^,]+)/.exec(text)?.[1] ?? text;
    const network = await client.get<Json>(`/networks/${encodeURIComponent(name)}`);
    const id = String(network.Scope) === 'swarm' ? String(network.Id) : name;
    return text === name ? id : text.replace(`name=${name}`, `name=${id}`);
  };
  const out: Record<string, unknown> = { ...options };
  for (const key of ['networkAdd', 'networkRm']) {
    const texts = options[key];
    if (Array.isArray(texts)) out[key] = await Promise.all((texts as string[]).map(rename));
  }
  return out;
}

/** Secrets and configs are named on the command line; the API wants their ids beside the names. */
async function resolveReferences(client: ApiClient, spec: JsonObject): Promise<void> {
  const container = child(spec, 'TaskTemplate', 'ContainerSpec');
  for (const [key, kind] of [
    ['Secrets', 'Secret'],
    ['Configs', 'Config'],
  ] as const) {
    const references = (container[key] as JsonObject[] | undefined) ?? [];
    for (const reference of references) {
      if (reference[`${kind}ID`]) continue;
      const name = String(reference[`${kind}Name`]);
      const path = `/${kind.toLowerCase()}s/${encodeURIComponent(name)}`;
      const found = await client.get<Json>(path);
      reference[`${kind}ID`] = found.ID;
      reference[`${kind}Name`] = obj(found.Spec).Name;
    }
  }
}

export async function rollback(client: ApiClient, name: string, options: Options): Promise<number> {
  if (options.list) return listRevisions(client, name);
  const service = await read(client, name);
  const to = options.to === undefined ? 'previous' : String(integer('to', String(options.to)));
  await send(client, service, { rollback: to });
  process.stdout.write(`${name}\n`);
  if (options.detach) return EXIT.ok;
  return followRollout(client, String(service.ID), { quiet: options.quiet === true });
}

/** One service after the other, so that no more is moved at once than one service's update allows. */
export async function rebalance(
  client: ApiClient,
  names: readonly string[],
  options: Options,
): Promise<number> {
  for (const name of names) {
    const path = `/tswarm/v1/services/${encodeURIComponent(name)}/rollout`;
    const answer = await client.post<Json>(path, { query: { action: 'rebalance' } });
    const count = Number(answer.moving ?? 0);
    const what = count === 0 ? 'is balanced' : `moves ${count} task${count === 1 ? '' : 's'}`;
    process.stdout.write(`${name} ${what}\n`);
    if (count === 0 || options.detach) continue;
    const code = await followRollout(client, name, { quiet: options.quiet === true });
    if (code !== EXIT.ok) return code;
  }
  return EXIT.ok;
}

async function listRevisions(client: ApiClient, name: string): Promise<number> {
  const path = `/tswarm/v1/services/${encodeURIComponent(name)}/revisions`;
  const revisions = await client.get<Json[]>(path);
  const rows = revisions.map((revision) => {
    const spec = obj(revision.Spec);
    const container = obj(obj(spec.TaskTemplate).ContainerSpec);
    const mode = obj(spec.Mode);
    const replaced = revision.ReplacedAt
      ? `${humanDuration(ageMs(String(revision.ReplacedAt), Date.now()))} ago`
      : '(present)';
    return [
      String(revision.Revision),
      replaced,
      String(container.Image ?? '').replace(/@sha256:.*/, ''),
      ((container.Args as string[] | undefined) ?? []).join(' ').slice(0, 40),
      String(obj(mode.Replicated).Replicas ?? obj(mode.ReplicatedJob).TotalCompletions ?? '-'),
    ];
  });
  if (rows.length === 0) throw new TswarmError('not_found', `service ${name} not found`);
  const header = ['REVISION', 'REPLACED', 'IMAGE', 'COMMAND', 'REPLICAS'];
  process.stdout.write(formatTable(header, rows));
  return EXIT.ok;
}

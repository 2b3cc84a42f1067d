// tswarm node update, promote, demote, rm: docker's words. A change that somebody else made in between is read again and tried again, as docker does.
import { TswarmError } from '#protocol/errors';
import type { ApiClient, Json } from '../../client/http.ts';
import { EXIT, forEachName } from '../../output/fail.ts';

const OUT_OF_SEQUENCE = 'update out of sequence';
const TRIES_MAX = 5;

export interface UpdateFlags {
  readonly availability?: string;
  readonly role?: string;
  readonly labelAdd?: readonly string[];
  readonly labelRm?: readonly string[];
}

type Spec = Readonly<Record<string, unknown>>;

export async function update(client: ApiClient, name: string, flags: UpdateFlags): Promise<number> {
  const { availability, role, labelAdd = [], labelRm = [] } = flags;
  oneOf('--availability', availability, ['active', 'pause', 'drain']);
  oneOf('--role', role, ['worker', 'manager']);
  await change(client, name, (spec) => {
    const labels = { ...(spec.Labels as Readonly<Record<string, string>> | undefined) };
    for (const text of labelAdd) {
      const at = text.indexOf('=');
      labels[at < 0 ? text : text.slice(0, at)] = at < 0 ? '' : text.slice(at + 1);
    }
    for (const key of labelRm) {
      if (!(key in labels)) {
        throw new TswarmError('not_found', `key ${key} doesn't exist in node's labels`);
      }
      delete labels[key];
    }
    return {
      ...spec,
      Labels: labels,
      ...(availability === undefined ? {} : { Availability: availability }),
      ...(role === undefined ? {} : { Role: role }),
    };
  });
  process.stdout.write(`${name}\n`);
  return EXIT.ok;
}

function oneOf(flag: string, value: string | undefined, known: readonly string[]): void {
  if (value === undefined || known.includes(value)) return;
  throw new TswarmError('invalid_argument', `${flag} ${value}: must be ${known.join(' or ')}`);
}

/** Each node for itself: one that cannot does not keep the others back. */
export async function setRole(
  client: ApiClient,
  names: readonly string[],
  role: 'manager' | 'worker',
): Promise<number> {
  return forEachName(names, async (name) => {
    const isNew = await change(client, name, (spec) =>
      spec.Role === role ? undefined : { ...spec, Role: role },
    );
    if (!isNew) process.stdout.write(`Node ${name} is already a ${role}.\n`);
    else if (role === 'manager') {
      process.stdout.write(`Node ${name} promoted to a manager in the swarm.\n`);
    } else process.stdout.write(`Manager ${name} demoted in the swarm.\n`);
  });
}

export async function rm(
  client: ApiClient,
  names: readonly string[],
  flags: { readonly force?: boolean },
): Promise<number> {
  return forEachName(names, async (name) => {
    const query = { force: flags.force === true };
    await client.delete(`/nodes/${encodeURIComponent(await idOf(client, name))}`, { query });
    process.stdout.write(`${name}\n`);
  });
}

/** `self` is the node that answers. */
export async function idOf(client: ApiClient, name: string): Promise<string> {
  if (name !== 'self') return name;
  const info = await client.get<Json>('/info');
  return String((info.Swarm as Json | undefined)?.NodeID ?? '');
}

/** @returns false when `edit` finds nothing to change. */
async function change(
  client: ApiClient,
  name: string,
  edit: (spec: Spec) => Spec | undefined,
): Promise<boolean> {
  const path = `/nodes/${encodeURIComponent(await idOf(client, name))}`;
  for (let tries = 1; ; tries++) {
    const node = await client.get<Json>(path);
    const spec = edit(node.Spec as Spec);
    if (!spec) return false;
    try {
      const version = Number((node.Version as Json).Index);
      await client.post(`/nodes/${String(node.ID)}/update`, { query: { version }, body: spec });
      return true;
    } catch (error) {
      const isLate = error instanceof TswarmError && error.message.includes(OUT_OF_SEQUENCE);
      if (!isLate || tries >= TRIES_MAX) throw error;
    }
  }
}

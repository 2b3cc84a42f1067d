// tswarm stack rollback: the versions that a stack can go back to, what going back would change, and doing it as one deployment.
import type { ShownPlan } from '#api/cluster/types';
import { humanDuration } from '#protocol/human-duration';
import { call } from '../../client/cluster-call.ts';
import type { ApiClient } from '../../client/http.ts';
import { EXIT } from '../../output/fail.ts';
import { ageMs } from '../../output/human.ts';
import { formatTable } from '../../output/table.ts';
import { followRollout } from '../service/rollout.ts';

export interface RollbackOptions {
  readonly to?: string;
  readonly list?: boolean;
  readonly dryRun?: boolean;
  readonly detach?: boolean;
  readonly quiet?: boolean;
}

export async function rollback(
  client: ApiClient,
  name: string,
  options: RollbackOptions,
): Promise<number> {
  const { to } = options;
  const params = { name };
  const query = to === undefined ? {} : { to };
  if (options.list) return list(client, name);
  if (options.dryRun) {
    const key = 'POST /tswarm/v1/stacks/{name}/rollback/plan';
    process.stdout.write(planText(await call(client, key, { params, query })));
    return EXIT.ok;
  }
  const result = await call(client, 'POST /tswarm/v1/stacks/{name}/rollback', { params, query });
  for (const warning of result.warnings) process.stderr.write(`Warning: ${warning}\n`);
  const changed = result.changes.filter(({ action }) => action !== 'none');
  if (changed.length === 0) process.stderr.write(`${name} is like that already\n`);
  let code: number = EXIT.ok;
  for (const { kind, name: object } of changed) {
    process.stdout.write(`Updating ${kind} ${object}\n`);
    if (kind !== 'service' || options.detach !== false) continue;
    const followed = await followRollout(client, object, { quiet: options.quiet === true });
    if (followed !== EXIT.ok) code = followed;
  }
  return code;
}

async function list(client: ApiClient, name: string): Promise<number> {
  const input = { params: { name } };
  const versions = await call(client, 'GET /tswarm/v1/stacks/{name}/versions', input);
  const rows = versions.map(({ until, replaced }) => [
    until,
    `${humanDuration(ageMs(until, Date.now()))} ago`,
    replaced
      .map(({ service, imageBefore, imageAfter }) =>
        imageBefore === imageAfter
          ? service
          : `${service} (${withoutDigest(imageBefore)}, then ${withoutDigest(imageAfter)})`,
      )
      .join(', '),
  ]);
  process.stdout.write(formatTable(['VERSION', 'REPLACED', 'SERVICES'], rows));
  return EXIT.ok;
}

function withoutDigest(image: string): string {
  return image.replace(/@sha256:.*/, '');
}

const MARKS = { created: '+', updated: '~', removed: '-', none: ' ' } as const;

function planText({ changes, risks, warnings }: ShownPlan): string {
  const lines = changes
    .filter(({ action }) => action !== 'none')
    .flatMap(({ action, kind, name, fields }) => [
      `${MARKS[action]} ${kind} ${name}`,
      ...fields.map(({ field, before, after }) => {
        const values = [before, after].filter((value) => value !== undefined);
        return `    ${field}: ${values.join(' -> ')}`;
      }),
    ]);
  if (lines.length === 0) lines.push('No changes: the stack is like that already.');
  for (const { about, message, hint } of risks) lines.push(`Risk: ${about}: ${message}. ${hint}`);
  for (const warning of warnings) lines.push(`Warning: ${warning}`);
  return `${lines.map((line) => line.trimEnd()).join('\n')}\n`;
}

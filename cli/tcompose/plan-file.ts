// A saved plan: which files and flags it was made from, digests of what they came to, the image ids, and the state of the project that it is for. No bytes of secrets are
// in it; but what `config` shows is, so only its owner may read it. Carried out, the files are read again: whatever came out differently is named, and nothing is done.
import { createHash } from 'node:crypto';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { StackPlan } from '#api/cluster/types';
import { toEngineJson } from '#protocol/engine-json';
import { messageOf, TswarmError } from '#protocol/errors';
import {
  ConfigSpec,
  NetworkSpec,
  SecretSpec,
  ServiceSpec,
  type StackSpec,
  VolumeSpec,
} from '#protocol/generated/specs';
import type { ComposeContext, GlobalOptions } from './context.ts';
import type { MadePlan } from './plan.ts';
import type { UpOptions } from './up.ts';

/** Grows when older programs could not carry the plan out as it is meant. */
const FORMAT = 'tswarm-plan/1';

/** Flags that change what is deployed. */
const KEPT_OPTIONS = [
  'build',
  'pull',
  'forceRecreate',
  'recreate',
  'removeOrphans',
  'scale',
  'deps',
] as const;

export interface SavedPlan {
  readonly format: string;
  readonly project: string;
  readonly state: string;
  /** Working directory, global flags, services and flags of the plan. */
  readonly folder: string;
  readonly globals: GlobalOptions;
  readonly services: readonly string[];
  readonly options: UpOptions;
  readonly images: Readonly<Record<string, string>>;
  /** SHA-256 by `kind name`. */
  readonly digests: Readonly<Record<string, string>>;
  readonly plan: StackPlan;
}

/** Saves a plan. The file is complete or as it was before. */
export function writePlan(
  path: string,
  context: ComposeContext,
  services: readonly string[],
  options: UpOptions,
  made: MadePlan,
): void {
  const { file, projectName, profile, envFile, projectDirectory, compatibility, allResources } =
    context.options;
  if (file?.includes('-'))
    throw new TswarmError(
      'invalid_argument',
      '--out: a file from standard input cannot be read again',
      {
        hint: 'Write it to a file and use -f.',
      },
    );
  const saved: SavedPlan = {
    format: FORMAT,
    project: made.deployment.stack.name,
    state: made.plan.state,
    folder: process.cwd(),
    globals: defined({
      file,
      projectName,
      profile,
      envFile,
      projectDirectory,
      compatibility,
      allResources,
    }),
    services,
    options: defined(Object.fromEntries(KEPT_OPTIONS.map((key) => [key, options[key]]))),
    images: made.imageIds,
    digests: digestsOf(made.deployment.stack),
    plan: made.plan,
  };
  const temporary = `${path}.${process.pid}.tmp`;
  try {
    writeFileSync(temporary, `${JSON.stringify(saved, null, 2)}\n`, { mode: 0o600, flag: 'wx' });
    renameSync(temporary, path);
  } catch (error) {
    throw new TswarmError('failed_precondition', `--out ${path}: ${messageOf(error)}`);
  }
}

function defined<T extends object>(record: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  const entries = Object.entries(record).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as { [K in keyof T]: Exclude<T[K], undefined> };
}

/** @throws TswarmError when it is no plan, or one of a newer program */
export function readPlan(path: string): SavedPlan {
  let saved: Partial<SavedPlan>;
  try {
    saved = JSON.parse(readFileSync(resolve(path), 'utf8')) as Partial<SavedPlan>;
  } catch (error) {
    throw new TswarmError('invalid_argument', `--plan ${path}: ${messageOf(error)}`, {
      hint: 'Make a plan with "tcompose plan --out FILE".',
    });
  }
  if (saved.format !== FORMAT)
    throw new TswarmError(
      'invalid_argument',
      `--plan ${path}: not a plan that this version can read`,
      {
        hint: 'Make it anew with "tcompose plan --out FILE".',
      },
    );
  return saved as SavedPlan;
}

/** @throws TswarmError failed_precondition naming what is another now than when the plan was made */
export function refuseChanged(saved: SavedPlan, made: MadePlan): void {
  const now = digestsOf(made.deployment.stack);
  const names = new Set([...Object.keys(saved.digests), ...Object.keys(now)]);
  const changed = [...names].filter((name) => saved.digests[name] !== now[name]).sort();
  if (changed.length === 0) return;
  throw new TswarmError(
    'failed_precondition',
    `the files or images have changed since the plan was made: ${changed.join(', ')}`,
    { hint: 'Make a new plan, look at it, and apply that.' },
  );
}

function digestsOf(stack: StackSpec): Readonly<Record<string, string>> {
  const digest = (json: unknown): string =>
    createHash('sha256').update(JSON.stringify(json)).digest('hex');
  // Names of secrets and configs carry a hash of the content: a digest of the bytes would tell more than it should.
  const bare = <T extends { readonly data: Uint8Array }>(spec: T): T => ({
    ...spec,
    data: new Uint8Array(),
  });
  const entries = [
    ...stack.services.map((one) => ['service', one.name, toEngineJson(ServiceSpec, one)]),
    ...stack.networks.map((one) => ['network', one.name, toEngineJson(NetworkSpec, one)]),
    ...stack.volumes.map((one) => ['volume', one.name, toEngineJson(VolumeSpec, one)]),
    ...stack.secrets.map((one) => ['secret', one.name, toEngineJson(SecretSpec, bare(one))]),
    ...stack.configs.map((one) => ['config', one.name, toEngineJson(ConfigSpec, bare(one))]),
  ] as const;
  return Object.fromEntries(entries.map(([kind, name, json]) => [`${kind} ${name}`, digest(json)]));
}

// tswarm image build: a folder, a git repository, an archive or a Dockerfile alone, built on the node that is asked. What the builder says goes to standard output, as docker's
// classic builder has it; on a terminal each step has a row instead (build-view.ts). Repositories are fetched
// here, with the user's own git; what is at an http or https address the node fetches.
import { statSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { Readable } from 'node:stream';
import { createGzip } from 'node:zlib';
import { messageOf, TswarmError } from '#protocol/errors';
import {
  type BuildContext,
  besideRemote,
  buildArguments,
  buildContext,
  isRemoteContext,
  pipedContext,
} from '../../client/build-context.ts';
import { type BuildExtras, buildBody, extraQuery, secretOf } from '../../client/build-extras.ts';
import { Checkouts } from '../../client/git-checkout.ts';
import type { ApiClient, CallOptions } from '../../client/http.ts';
import { allRegistriesHeaders } from '../../client/registry-auth.ts';
import { EXIT } from '../../output/fail.ts';
import { bodyOf } from '../container/create-flags.ts';
import { labelsOf } from '../data/fields.ts';
import { bytes, ulimit } from '../service/values.ts';
import { BUILD_LIMITS } from './build-command.ts';
import { outputsOf, writeOutput } from './build-output.ts';
import { BuildView } from './build-view.ts';
import { push } from './image.ts';

export interface BuildFlags extends Readonly<Record<string, unknown>> {
  readonly addHost?: readonly string[];
  readonly allow?: readonly string[];
  readonly buildContext?: readonly string[];
  readonly cacheFrom?: readonly string[];
  readonly cacheTo?: readonly string[];
  readonly compress?: boolean;
  readonly metadataFile?: string;
  readonly noCacheFilter?: readonly string[];
  readonly output?: readonly string[];
  readonly progress?: string;
  readonly push?: boolean;
  readonly secret?: readonly string[];
  readonly ssh?: readonly string[];
  readonly ulimit?: readonly string[];
  readonly buildArg?: readonly string[];
  readonly cache?: boolean;
  readonly file?: string;
  readonly iidfile?: string;
  readonly label?: readonly string[];
  readonly network?: string;
  readonly platform?: string;
  readonly pull?: boolean;
  readonly quiet?: boolean;
  readonly shmSize?: string;
  readonly tag?: readonly string[];
  readonly target?: string;
}

/** Where a context is, and those that come along. */
interface Source {
  readonly context: string;
  /** A Dockerfile is looked for in it, not where the command is given. */
  readonly isCheckout: boolean;
  readonly more: Readonly<Record<string, string>>;
}

export async function build(client: ApiClient, path: string, flags: BuildFlags): Promise<number> {
  const checkouts = new Checkouts();
  try {
    const more: Record<string, string> = {};
    for (const [name, source] of (flags.buildContext ?? []).map(namedContext)) {
      more[name] = await checkouts.local(source);
    }
    const context = await checkouts.local(path);
    return await buildFrom(client, { context, isCheckout: context !== path, more }, flags);
  } finally {
    await checkouts.remove();
  }
}

async function buildFrom(client: ApiClient, source: Source, flags: BuildFlags): Promise<number> {
  const outputs = outputsOf(flags.output ?? []);
  const tags = [...(flags.tag ?? []), ...outputs.flatMap(({ names }) => names)];
  const isPushed = flags.push === true || outputs.some(({ push }) => push);
  if (isPushed && tags.length === 0) {
    const hint = 'Name the image: -t registry.example.org/name:tag.';
    throw new TswarmError('invalid_argument', '--push: the image has no name', { hint });
  }
  const view = new BuildView(
    flags,
    outputs.some(({ dest }) => dest === '-'),
  );
  const { query: extra, folders, extras } = extrasOf(flags, source, client);
  const context = await contextOf(source, flags.file, folders);
  const query = {
    ...queryOf(flags, context, tags),
    ...extra,
    remote: isRemoteContext(source.context) ? source.context : undefined,
    stepevents: view.wantsEvents,
  };
  for (const [name, given] of [
    ['--cache-from', flags.cacheFrom],
    ['--cache-to', flags.cacheTo],
  ] as const) {
    if (given !== undefined) view.note(`${name}: steps are found by their content, on this node`);
  }
  const data = flags.compress ? Readable.from(context.stream).pipe(createGzip()) : context.stream;
  const stream = { data: buildBody(data, extras), type: 'application/x-tar' };
  const headers = await allRegistriesHeaders(process.env);
  const id = await view.follow(client.lines('POST', '/build', { query, stream, headers }));
  if (flags.iidfile !== undefined) writeText('iidfile', flags.iidfile, id);
  if (flags.metadataFile !== undefined) {
    const metadata = { 'containerimage.config.digest': id, 'image.name': tags.join(',') };
    writeText('metadata-file', flags.metadataFile, `${JSON.stringify(metadata, undefined, 2)}\n`);
  }
  for (const output of outputs) await writeOutput(client, output, { id, tags });
  // Each on standard output as `image push` says it; what belongs there besides is an archive.
  if (isPushed) for (const name of new Set(tags)) await push(client, name, { quiet: view.isQuiet });
  return EXIT.ok;
}

/** What comes along with the context. */
function extrasOf(
  flags: BuildFlags,
  { more }: Source,
  client: ApiClient,
): ReturnType<typeof extraQuery> & { readonly extras: BuildExtras } {
  const extras = {
    secrets: new Map((flags.secret ?? []).map(secretOf)),
    ssh: flags.ssh ?? [],
    contexts: more,
  };
  return { ...extraQuery(extras, client.endpoint), extras };
}

function queryOf(
  flags: BuildFlags,
  { dockerfile }: BuildContext,
  tags: readonly string[],
): NonNullable<CallOptions['query']> {
  const shmBytes = flags.shmSize === undefined ? undefined : bytes('shm-size', flags.shmSize);
  const ulimits = flags.ulimit?.map((text) => ulimit('ulimit', text));
  return {
    t: tags,
    dockerfile,
    target: flags.target,
    nocache: flags.cache === false ? 1 : undefined,
    pull: flags.pull ? 1 : undefined,
    q: flags.quiet ? 1 : undefined,
    networkmode: flags.network,
    extrahosts: flags.addHost,
    shmsize: shmBytes,
    buildargs: JSON.stringify(buildArguments(flags.buildArg, process.env)),
    labels: JSON.stringify(labelsOf(flags.label)),
    platform: flags.platform,
    nocachefilter: flags.noCacheFilter?.flatMap((names) => names.split(',')),
    entitlements: flags.allow,
    ulimits: ulimits === undefined ? undefined : JSON.stringify(ulimits),
    ...limitsQuery(flags),
    version: 1,
  };
}

/** A container's limits under the names that POST /build has for them. */
const LIMIT_NAMES: Readonly<Record<string, string>> = {
  Memory: 'memory',
  MemorySwap: 'memswap',
  CpuShares: 'cpushares',
  CpuPeriod: 'cpuperiod',
  CpuQuota: 'cpuquota',
  CpusetCpus: 'cpusetcpus',
  CpusetMems: 'cpusetmems',
  CgroupParent: 'cgroupparent',
};

function limitsQuery(flags: BuildFlags): Readonly<Record<string, string>> {
  const { host } = bodyOf(BUILD_LIMITS, flags);
  return Object.fromEntries(
    Object.entries(host).map(([key, value]) => [LIMIT_NAMES[key] ?? key, String(value)]),
  );
}

/** `-` is standard input: as the path the whole context, as the file only the Dockerfile. */
async function contextOf(
  { context: path, isCheckout }: Source,
  file: string | undefined,
  more: Readonly<Record<string, string>>,
): Promise<BuildContext> {
  if (path === '-') {
    if (Object.keys(more).length > 0) {
      const text = 'further folders cannot come along with a context from standard input';
      throw new TswarmError('invalid_argument', text);
    }
    if (file === '-') {
      const text = 'standard input cannot be both the context and the Dockerfile';
      throw new TswarmError('invalid_argument', text);
    }
    return pipedContext(process.stdin, file ?? 'Dockerfile');
  }
  if (isRemoteContext(path)) {
    const inline = file === '-' ? await textOfInput() : undefined;
    return besideRemote({ dockerfile: file ?? 'Dockerfile', inline, more });
  }
  const info = statSync(path, { throwIfNoEntry: false });
  if (info === undefined)
    throw new TswarmError('not_found', `unable to prepare context: path "${path}" not found`);
  if (!info.isDirectory())
    throw new TswarmError('invalid_argument', `context must be a directory: ${path}`);
  if (file === '-') {
    const inline = await textOfInput();
    return buildContext({ folder: path, dockerfile: 'Dockerfile', inline, more });
  }
  // Like docker: a file that is named is looked for where the command is given.
  const named = isCheckout ? file : file && resolve(file);
  const dockerfile = named ?? 'Dockerfile';
  return buildContext({ folder: path, dockerfile, inline: undefined, more });
}

async function textOfInput(): Promise<string> {
  let text = '';
  process.stdin.setEncoding('utf8');
  for await (const chunk of process.stdin) text += chunk;
  return text;
}

function namedContext(text: string): readonly [string, string] {
  const at = text.indexOf('=');
  if (at > 0) return [text.slice(0, at), text.slice(at + 1)];
  throw new TswarmError('invalid_argument', `--build-context ${text}: write NAME=FOLDER`);
}

function writeText(flag: string, file: string, text: string): void {
  try {
    writeFileSync(file, text);
  } catch (error) {
    throw new TswarmError('failed_precondition', `--${flag} ${file}: ${messageOf(error)}`);
  }
}

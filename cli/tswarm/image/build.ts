// tswarm image build: a folder, an archive or a Dockerfile alone, built on the node that is asked. What the builder says goes to standard output, as docker's
// classic builder has it. A context from a URL is refused: fetched first, it is known what is built.
import { statSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { messageOf, TswarmError } from '#protocol/errors';
import {
  type BuildContext,
  buildArguments,
  buildContext,
  pipedContext,
} from '../../client/build-context.ts';
import { buildBody, extraQuery, secretOf } from '../../client/build-extras.ts';
import type { ApiClient } from '../../client/http.ts';
import { allRegistriesHeaders } from '../../client/registry-auth.ts';
import { EXIT } from '../../output/fail.ts';
import { labelsOf, textOf } from '../data/fields.ts';
import { bytes } from '../service/values.ts';
import { printStream } from './image.ts';

export interface BuildFlags {
  readonly addHost?: readonly string[];
  readonly allow?: readonly string[];
  readonly buildContext?: readonly string[];
  readonly noCacheFilter?: readonly string[];
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

export async function build(client: ApiClient, path: string, flags: BuildFlags): Promise<number> {
  const shmBytes = flags.shmSize === undefined ? undefined : bytes('shm-size', flags.shmSize);
  const extras = {
    secrets: new Map((flags.secret ?? []).map(secretOf)),
    ssh: flags.ssh ?? [],
    contexts: Object.fromEntries((flags.buildContext ?? []).map(namedContext)),
  };
  const { query: extra, folders } = extraQuery(extras, client.endpoint);
  const context = await contextOf(path, flags.file, folders);
  const query = {
    t: flags.tag,
    dockerfile: context.dockerfile,
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
    ulimits: flags.ulimit === undefined ? undefined : JSON.stringify(flags.ulimit.map(ulimitOf)),
    ...extra,
    version: 1,
  };
  const stream = { data: buildBody(context.stream, extras), type: 'application/x-tar' };
  let id = '';
  const headers = await allRegistriesHeaders(process.env);
  await printStream(client.lines('POST', '/build', { query, stream, headers }), (aux) => {
    id = textOf(aux.ID) || id;
  });
  if (flags.iidfile !== undefined) writeId(flags.iidfile, id);
  return EXIT.ok;
}

/** `-` is standard input: as the path the whole context, as the file only the Dockerfile. */
async function contextOf(
  path: string,
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
  if (/^(https?|git|ssh):\/\/|^git@|^github\.com\//.test(path)) {
    throw new TswarmError('not_supported', `${path}: building from a URL is not supported`, {
      hint: 'Fetch the sources first and build from the folder.',
    });
  }
  const info = statSync(path, { throwIfNoEntry: false });
  if (info === undefined)
    throw new TswarmError('not_found', `unable to prepare context: path "${path}" not found`);
  if (!info.isDirectory())
    throw new TswarmError('invalid_argument', `context must be a directory: ${path}`);
  if (file === '-') {
    let inline = '';
    process.stdin.setEncoding('utf8');
    for await (const chunk of process.stdin) inline += chunk;
    return buildContext({ folder: path, dockerfile: 'Dockerfile', inline, more });
  }
  // Like docker: a file that is named is looked for where the command is given.
  const dockerfile = file === undefined ? 'Dockerfile' : resolve(file);
  return buildContext({ folder: path, dockerfile, inline: undefined, more });
}

function namedContext(text: string): readonly [string, string] {
  const at = text.indexOf('=');
  if (at > 0) return [text.slice(0, at), text.slice(at + 1)];
  throw new TswarmError('invalid_argument', `--build-context ${text}: write NAME=FOLDER`);
}

/** `nofile=1024[:2048]`. */
function ulimitOf(text: string): {
  readonly Name: string;
  readonly Soft: number;
  readonly Hard: number;
} {
  const [, Name = '', soft = '', hard = soft] = /^([a-z]+)=(-?\d+)(?::(-?\d+))?$/.exec(text) ?? [];
  if (Name !== '') return { Name, Soft: Number(soft), Hard: Number(hard) };
  throw new TswarmError('invalid_argument', `--ulimit ${text}: write NAME=SOFT[:HARD]`);
}

function writeId(file: string, id: string): void {
  try {
    writeFileSync(file, id);
  } catch (error) {
    throw new TswarmError('failed_precondition', `--iidfile ${file}: ${messageOf(error)}`);
  }
}

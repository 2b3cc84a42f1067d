// What a build gets beside its context and its arguments: secrets, SSH agents, further contexts. Secrets go before the archive in the body, so that no log of requests and no file has them.
import { existsSync, readFileSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { messageOf, TswarmError } from '#protocol/errors';
import { prefixed } from './build-context.ts';
import type { Endpoint } from './endpoint.ts';

export interface BuildExtras {
  readonly secrets: ReadonlyMap<string, Uint8Array>;
  /** `default`, `id` or `id=path` of an agent's socket. */
  readonly ssh: readonly string[];
  /** Name → folder, docker-image://REF, or an http or https address. */
  readonly contexts: Readonly<Record<string, string>>;
}

/** Parameters for the extras, and the folders that go into the archive. */
export function extraQuery(
  extras: BuildExtras,
  endpoint: Endpoint,
): {
  readonly query: Readonly<Record<string, string | undefined>>;
  readonly folders: Readonly<Record<string, string>>;
} {
  const folders: Record<string, string> = {};
  const contexts: Record<string, string> = {};
  for (const [name, source] of Object.entries(extras.contexts)) {
    const [, scheme = ''] = /^([a-z-]+):\/\//.exec(source) ?? [];
    if (/^(docker-image|https?)$/.test(scheme)) contexts[name] = source;
    else if (scheme !== '' || source.startsWith('git@')) {
      throw new TswarmError('not_supported', `build context ${name}: ${source} is not supported`, {
        hint: 'Give a folder, a git repository, docker-image://REFERENCE or an http or https address.',
      });
    } else {
      contexts[name] = '';
      folders[name] = resolve(source);
    }
  }
  if (extras.ssh.length > 0 && endpoint.tls) {
    throw new TswarmError('not_supported', `--ssh: ${endpoint.text} is another host`, {
      hint: 'An agent serves builds on its own host: build there.',
    });
  }
  const agents = Object.fromEntries(extras.ssh.map(agentOf));
  const head = secretsHead(extras.secrets);
  return {
    query: {
      contexts: Object.keys(contexts).length > 0 ? JSON.stringify(contexts) : undefined,
      sshagents: extras.ssh.length > 0 ? JSON.stringify(agents) : undefined,
      secretbytes: head.length > 0 ? String(head.length) : undefined,
    },
    folders,
  };
}

/** The body: secrets, when there are any, then the archive. */
export function buildBody(
  stream: AsyncIterable<Uint8Array>,
  extras: BuildExtras,
): AsyncIterable<Uint8Array> {
  const head = secretsHead(extras.secrets);
  return head.length > 0 ? prefixed(head, stream) : stream;
}

function secretsHead(secrets: BuildExtras['secrets']): Uint8Array {
  if (secrets.size === 0) return new Uint8Array();
  const texts = [...secrets].map(([id, data]) => [id, Buffer.from(data).toString('base64')]);
  return Buffer.from(JSON.stringify(Object.fromEntries(texts)));
}

/** The socket of an agent on this host, which is the builder's host as well. */
function agentOf(text: string): readonly [string, string] {
  const at = text.indexOf('=');
  const id = at < 0 ? text : text.slice(0, at);
  const path = at < 0 ? (process.env.SSH_AUTH_SOCK ?? '') : text.slice(at + 1);
  if (path === '') {
    throw new TswarmError('invalid_argument', `ssh ${id}: SSH_AUTH_SOCK is not set`, {
      hint: 'Start an agent: eval "$(ssh-agent)" && ssh-add.',
    });
  }
  if (statSync(path, { throwIfNoEntry: false })?.isSocket() === true) return [id, resolve(path)];
  throw new TswarmError('invalid_argument', `ssh ${id}: ${path} is no socket of an agent`, {
    hint: 'Load a key file into an agent with ssh-add, and give the agent.',
  });
}

/** `id=ID[,src=FILE][,env=NAME]`, as `docker build --secret` has it. @throws invalid_argument */
export function secretOf(text: string): readonly [string, Uint8Array] {
  const fields = new Map(
    text.split(',').map((field): [string, string] => {
      const at = field.indexOf('=');
      return at < 0 ? [field, ''] : [field.slice(0, at), field.slice(at + 1)];
    }),
  );
  const path = fields.get('src') ?? fields.get('source');
  const id = fields.get('id') ?? (path === undefined ? undefined : path.split('/').at(-1));
  const type = fields.get('type') ?? '';
  const unknown = [...fields.keys()].find(
    (key) => !['id', 'src', 'source', 'env', 'type'].includes(key),
  );
  if (!id || unknown !== undefined || !['', 'file', 'env'].includes(type)) {
    throw new TswarmError('invalid_argument', `invalid secret "${text}"`, {
      hint: 'Write id=NAME,src=FILE or id=NAME,env=VARIABLE.',
    });
  }
  const variable = fields.get('env') ?? (type === 'env' ? (path ?? id) : undefined);
  if (variable !== undefined || (path === undefined && process.env[id] !== undefined)) {
    const value = process.env[variable ?? id];
    if (value !== undefined) return [id, Buffer.from(value)];
    throw new TswarmError('not_found', `secret ${id}: variable ${variable} is not set`);
  }
  const file = path ?? id;
  if (!existsSync(file)) throw new TswarmError('not_found', `secret ${id}: no file ${file}`);
  try {
    return [id, readFileSync(file)];
  } catch (error) {
    throw new TswarmError('failed_precondition', `secret ${id}: ${messageOf(error)}`);
  }
}

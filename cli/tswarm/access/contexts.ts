// tswarm context: the clusters that commands can go to. Columns and texts are docker's. Nothing here reaches a daemon.
import { readFileSync } from 'node:fs';
import { messageOf, TswarmError } from '#protocol/errors';
import { type ClusterContext, ContextStore, DEFAULT_CONTEXT } from '../../client/contexts.ts';
import { DEFAULT_SOCKET } from '../../client/endpoint.ts';
import { EXIT, forEachName } from '../../output/fail.ts';
import { formatList } from '../../output/format.ts';
import { inspected } from '../../output/inspect.ts';

function store(): ContextStore {
  return new ContextStore(process.env);
}

/** What commands use now. */
function chosen(): string {
  return process.env.TSWARM_CONTEXT || store().current();
}

export async function ls(options: {
  readonly format?: string;
  readonly quiet?: boolean;
  readonly json?: boolean;
}): Promise<number> {
  const current = chosen();
  const rows = [DEFAULT_CONTEXT, ...store().names()].map((name) => {
    const { description, host, error } = shown(name);
    return {
      Name: name,
      Marked: name === current && !options.quiet ? `${name} *` : name,
      Description: description,
      DockerEndpoint: host,
      Current: name === current,
      Error: error,
    };
  });
  const columns = [
    ['NAME', 'Marked'],
    ['DESCRIPTION', 'Description'],
    ['ENDPOINT', 'DockerEndpoint'],
    ['ERROR', 'Error'],
  ] as const;
  process.stdout.write(formatList({ columns, rows }, { ...options, quietField: 'Name' }));
  return EXIT.ok;
}

interface Shown {
  readonly description: string;
  readonly host: string;
  readonly error: string;
}

/** A context that cannot be read is listed, too: somebody has to repair it. */
function shown(name: string): Shown {
  if (name === DEFAULT_CONTEXT) {
    return { description: 'This host', host: `unix://${DEFAULT_SOCKET}`, error: '' };
  }
  try {
    const { description, host } = store().get(name);
    return { description, host, error: '' };
  } catch (error) {
    return { description: '', host: '', error: messageOf(error) };
  }
}

export async function show(): Promise<number> {
  process.stdout.write(`${chosen()}\n`);
  return EXIT.ok;
}

export async function use(name: string): Promise<number> {
  store().use(name);
  process.stdout.write(`${name}\n`);
  process.stderr.write(`Current context is now "${name}"\n`);
  const { TSWARM_HOST: host, TSWARM_CONTEXT: other } = process.env;
  if (host) process.stderr.write('Warning: TSWARM_HOST is set and comes first.\n');
  else if (other && other !== name) {
    process.stderr.write('Warning: TSWARM_CONTEXT is set and comes first.\n');
  }
  return EXIT.ok;
}

export async function rm(
  names: readonly string[],
  options: { readonly force?: boolean },
): Promise<number> {
  return forEachName(names, async (name) => {
    store().remove(name, options.force === true);
    process.stdout.write(`${name}\n`);
  });
}

/** Without what is secret. */
export async function inspect(
  names: readonly string[],
  options: { readonly format?: string },
): Promise<number> {
  const found = (names.length > 0 ? names : [chosen()]).map((name) => {
    if (name === DEFAULT_CONTEXT) return { Name: name, Host: `unix://${DEFAULT_SOCKET}`, Auth: '' };
    const { host, description, token } = store().get(name);
    return {
      Name: name,
      Host: host,
      Description: description,
      Auth: token === '' ? 'certificate' : 'token',
    };
  });
  process.stdout.write(inspected(found, options));
  return EXIT.ok;
}

/** Of certificate files, or of another socket; `tswarm login` makes those with a token. */
export async function create(
  name: string,
  options: {
    readonly host?: string;
    readonly docker?: string;
    readonly description?: string;
    readonly ca?: string;
    readonly cert?: string;
    readonly key?: string;
  },
): Promise<number> {
  const { ca, cert, key } = options;
  const files = {
    ...fieldsOf(options.docker ?? ''),
    ...definedOf({ host: options.host, ca, cert, key }),
  };
  const { host = '' } = files;
  if (!/^(tcp|unix):\/\/./.test(host)) {
    throw new TswarmError('invalid_argument', 'host: must be tcp://HOST:PORT or unix://PATH', {
      hint: 'tswarm context create NAME --docker host=tcp://HOST:2376,ca=ca.pem,cert=cert.pem,key=key.pem',
    });
  }
  if (host.startsWith('tcp://') && !(files.ca && files.cert && files.key)) {
    throw new TswarmError('invalid_argument', 'a context over the network needs ca, cert and key', {
      hint: 'tswarm client-cert create makes them; with a token use tswarm login instead.',
    });
  }
  if (store().has(name)) {
    throw new TswarmError('already_exists', `context "${name}" already exists`);
  }
  const context: ClusterContext = {
    format: 1,
    host,
    description: options.description ?? '',
    token: '',
    ca: fileText(files.ca),
    cert: fileText(files.cert),
    key: fileText(files.key),
  };
  store().save(name, context);
  process.stdout.write(`${name}\n`);
  process.stderr.write(`Successfully created context "${name}"\n`);
  return EXIT.ok;
}

type Fields = Partial<Record<'host' | 'ca' | 'cert' | 'key', string>>;

function definedOf(fields: Readonly<Record<string, string | undefined>>): Fields {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

/** `host=…,ca=…`, as docker's --docker takes it. */
function fieldsOf(text: string): Fields {
  const out: Fields = {};
  for (const part of text.split(',').filter((one) => one !== '')) {
    const [key = '', value = ''] = part.split(/=(.*)/s);
    if (key !== 'host' && key !== 'ca' && key !== 'cert' && key !== 'key') {
      throw new TswarmError('invalid_argument', `--docker: unrecognized key "${key}"`, {
        hint: 'Known are host, ca, cert and key.',
      });
    }
    out[key] = value;
  }
  return out;
}

function fileText(name: string | undefined): string {
  if (!name) return '';
  try {
    return readFileSync(name, 'utf8');
  } catch (error) {
    throw new TswarmError('invalid_argument', `certificate file: ${messageOf(error)}`);
  }
}

// Which daemon a command talks to: `-H`, then `--context`, TSWARM_HOST, TSWARM_CONTEXT, the context in use, then DOCKER_HOST if tswarm answers there, then
// the local cluster socket. Over the network there is TLS with a certificate of the cluster only; plain TCP is refused, because whoever reaches such a
// port is root on every node.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf, TswarmError } from '#protocol/errors';
import { type ClusterContext, ContextStore, DEFAULT_CONTEXT } from './contexts.ts';

/** The local daemon's socket with the containers of all nodes. */
export const DEFAULT_SOCKET = '/run/tswarm/cluster.sock';
/** Of the HTTP API with TLS. */
export const API_PORT = 2376;

export interface TlsTarget {
  readonly host: string;
  readonly port: number;
  /** PEM; '' = those that the system trusts. */
  readonly ca: string;
  /** PEM; '' = none. */
  readonly cert: string;
  readonly key: string;
  /** '' = none. */
  readonly token: string;
}

export interface Endpoint {
  /** '' when it is reached with TLS. */
  readonly socketPath: string;
  readonly tls?: TlsTarget;
  /** As the user named it, for messages. */
  readonly text: string;
  /** DOCKER_HOST may belong to another engine: the first answer decides. */
  readonly checkServer: boolean;
}

/** Flags that both command lines have. */
export interface EndpointFlags {
  readonly host?: string;
  readonly context?: string;
  /** Files, as docker names them. */
  readonly tlscacert?: string;
  readonly tlscert?: string;
  readonly tlskey?: string;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** @throws TswarmError invalid_argument, not_found */
export function resolveEndpoint(flags: EndpointFlags, environment: NodeJS.ProcessEnv): Endpoint {
  const { host, context } = flags;
  if (host && context) {
    throw new TswarmError('invalid_argument', '-H and --context say two different places', {
      hint: 'Give one of them.',
    });
  }
  if (host) return parseEndpoint(host, flags, environment);
  if (context) return contextEndpoint(context, environment);
  if (environment.TSWARM_HOST) return parseEndpoint(environment.TSWARM_HOST, flags, environment);
  const chosen = environment.TSWARM_CONTEXT || new ContextStore(environment).current();
  if (chosen !== DEFAULT_CONTEXT) return contextEndpoint(chosen, environment);
  const docker = environment.DOCKER_HOST ?? '';
  const isOurs = docker.startsWith('unix://') || (isTcp(docker) && environment.DOCKER_CERT_PATH);
  if (isOurs) return { ...parseEndpoint(docker, flags, environment), checkServer: true };
  return { socketPath: DEFAULT_SOCKET, text: `unix://${DEFAULT_SOCKET}`, checkServer: false };
}

function isTcp(text: string): boolean {
  return /^(tcp|https):\/\//.test(text);
}

function contextEndpoint(name: string, environment: NodeJS.ProcessEnv): Endpoint {
  if (name === DEFAULT_CONTEXT) {
    return { socketPath: DEFAULT_SOCKET, text: `unix://${DEFAULT_SOCKET}`, checkServer: false };
  }
  return endpointOf(new ContextStore(environment).get(name), `context "${name}"`);
}

/** The place that a context stands for. */
export function endpointOf(context: ClusterContext, text: string = context.host): Endpoint {
  if (!isTcp(context.host)) return { ...unixEndpoint(context.host), text };
  const { ca, token, cert, key } = context;
  const tls = { ...parseTcp(context.host), ca, token, cert, key };
  return { socketPath: '', tls, text, checkServer: false };
}

/** @throws TswarmError invalid_argument */
function parseEndpoint(text: string, flags: EndpointFlags, environment: Environment): Endpoint {
  if (isTcp(text)) return tlsEndpoint(text, flags, environment);
  if (text.startsWith('unix://') || text.startsWith('/')) return unixEndpoint(text);
  throw new TswarmError('invalid_argument', `host "${text}": must be unix:// or tcp://`, {
    hint: 'Write for example -H unix:///run/tswarm/cluster.sock, or sign in to a cluster: tswarm login HOST.',
  });
}

function unixEndpoint(text: string): Endpoint {
  const path = text.replace(/^unix:\/\//, '');
  // A run root is as good as a socket in it.
  const isFolder = text.startsWith('unix://') && !path.endsWith('.sock');
  const socketPath = isFolder ? `${path.replace(/\/$/, '')}/cluster.sock` : path;
  return { socketPath, text, checkServer: false };
}

function tlsEndpoint(text: string, flags: EndpointFlags, environment: Environment): Endpoint {
  const folder = environment.TSWARM_CERT_PATH || environment.DOCKER_CERT_PATH || '';
  const file = (flag: string | undefined, name: string): string =>
    flag ?? (folder === '' ? '' : join(folder, name));
  const names = {
    ca: file(flags.tlscacert, 'ca.pem'),
    cert: file(flags.tlscert, 'cert.pem'),
    key: file(flags.tlskey, 'key.pem'),
  };
  if (names.ca === '' || names.cert === '' || names.key === '') {
    throw new TswarmError(
      'invalid_argument',
      `host "${text}": TLS with a client certificate is needed`,
      {
        hint: 'Plain TCP would make everybody who reaches the port root. Sign in with a token (tswarm login HOST), or give --tlscacert, --tlscert and --tlskey (tswarm client-cert create makes them).',
      },
    );
  }
  const tls = {
    ...parseTcp(text),
    token: '',
    ca: read(names.ca),
    cert: read(names.cert),
    key: read(names.key),
  };
  return { socketPath: '', tls, text, checkServer: false };
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new TswarmError('invalid_argument', `certificate file: ${messageOf(error)}`);
  }
}

/** Host and port of `tcp://HOST[:PORT]` or `HOST[:PORT]`. @throws TswarmError invalid_argument */
export function parseTcp(text: string): { readonly host: string; readonly port: number } {
  const rest = text.replace(/^(tcp|https):\/\//, '').replace(/\/$/, '');
  const [, name = '', port] = /^(\[[0-9a-fA-F:.]+\]|[^:/\s]+)(?::(\d{1,5}))?$/.exec(rest) ?? [];
  if (name !== '' && Number(port ?? API_PORT) <= 65_535) {
    return { host: name.replace(/^\[|\]$/g, ''), port: Number(port ?? API_PORT) };
  }
  throw new TswarmError('invalid_argument', `host "${text}": must be HOST or HOST:PORT`);
}

/** Words for an answer that broke off. `answers`: the daemon is there, so it was the connection. */
export function connectionLost(endpoint: Endpoint, answers = false): TswarmError {
  if (answers) {
    return new TswarmError('unavailable', `the connection to tswarmd at ${endpoint.text} broke`, {
      hint: 'tswarmd answers again, and its log says why. What was under way may have been done or not: look with "tcompose ps".',
    });
  }
  return new TswarmError('unavailable', `tswarmd at ${endpoint.text} went away in the middle`, {
    hint: 'What was under way may have been done or not: look with "tcompose ps" when it is back.',
  });
}

/** Words for a connection with TLS that did not come to be. */
function unreachableTls(
  { host, port }: TlsTarget,
  text: string,
  code: string,
  reason: string,
): TswarmError {
  const place = text.includes(host) ? text : `${text} (${host}:${port})`;
  if (/CERT|SIGNATURE|SELF_SIGNED|ISSUER/.test(code)) {
    return new TswarmError('unauthenticated', `${place} is not who it should be: ${reason}`, {
      hint: 'If the cluster has a new root certificate, or the host another name, sign in again: tswarm login.',
    });
  }
  return new TswarmError('unavailable', `cannot reach tswarmd at ${place}: ${reason}`, {
    hint: 'Does tswarmd there run with --api-addr, on a manager, and does the way there let the port through?',
  });
}

/** Words for "nobody answers there". */
export function unreachable(endpoint: Endpoint, code: string, reason: string = code): TswarmError {
  if (endpoint.tls) return unreachableTls(endpoint.tls, endpoint.text, code, reason);
  if (code === 'EACCES') {
    return new TswarmError('permission_denied', `no access to ${endpoint.text}`, {
      hint: 'Run the command as root or join the group tswarm.',
    });
  }
  const why = existsSync(endpoint.socketPath) ? 'nothing listens there' : 'there is no such socket';
  return new TswarmError('unavailable', `cannot reach tswarmd at ${endpoint.text}: ${why}`, {
    hint: 'Is tswarmd running? Start it with "tswarmd" or "systemctl start tswarmd"; another socket is chosen with -H.',
  });
}

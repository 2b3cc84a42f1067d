// Which daemon a command talks to: `-H`, then TSWARM_HOST, then DOCKER_HOST if tswarm answers there, then the local cluster socket.
import { existsSync } from 'node:fs';
import { TswarmError } from '#protocol/errors';

/** The local daemon's socket with the containers of all nodes. */
export const DEFAULT_SOCKET = '/run/tswarm/cluster.sock';

export interface Endpoint {
  readonly socketPath: string;
  /** As the user named it, for messages. */
  readonly text: string;
  /** DOCKER_HOST may belong to another engine: the first answer decides. */
  readonly checkServer: boolean;
}

export function resolveEndpoint(
  flag: string | undefined,
  environment: NodeJS.ProcessEnv,
): Endpoint {
  const named = flag ?? environment.TSWARM_HOST;
  if (named !== undefined && named !== '') return parseEndpoint(named, false);
  const docker = environment.DOCKER_HOST ?? '';
  if (docker.startsWith('unix://')) return parseEndpoint(docker, true);
  return { socketPath: DEFAULT_SOCKET, text: `unix://${DEFAULT_SOCKET}`, checkServer: false };
}

/** @throws TswarmError invalid_argument */
function parseEndpoint(text: string, checkServer: boolean): Endpoint {
  if (text.startsWith('unix://')) {
    const path = text.slice('unix://'.length);
    // A run root is as good as a socket in it.
    const socketPath = path.endsWith('.sock') ? path : `${path.replace(/\/$/, '')}/cluster.sock`;
    return { socketPath, text, checkServer };
  }
  if (text.startsWith('/')) return { socketPath: text, text, checkServer };
  throw new TswarmError('invalid_argument', `host "${text}": only unix:// sockets are supported`, {
    hint: 'Write for example -H unix:///run/tswarm/cluster.sock.',
  });
}

/** Words for a daemon that went away in the middle of an answer. */
export function connectionLost(endpoint: Endpoint): TswarmError {
  return new TswarmError('unavailable', `tswarmd at ${endpoint.text} went away in the middle`, {
    hint: 'What was under way may have been done or not: look with "tcompose ps" when it is back.',
  });
}

/** Words for "nobody answers there". */
export function unreachable(endpoint: Endpoint, code: string): TswarmError {
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

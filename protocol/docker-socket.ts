// Where programs look for the Docker Engine API. A container of the cluster that mounts it gets the socket of its node instead, which speaks the same API; the client says so, the node does it.

/** The path that images and compose files name. */
export const DOCKER_SOCKET = '/var/run/docker.sock';

/** Whether a path of the host is Docker's socket. */
export function isDockerSocket(path: string): boolean {
  return path === DOCKER_SOCKET || path === '/run/docker.sock';
}

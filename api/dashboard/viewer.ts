// What a viewer's session may ask for: a list of what is shown, not of what is hidden, so that a new call is closed until somebody has thought about it.
// Left out: join tokens, unlock key, backups, files of containers, data of configs, and everything that changes something.

const NAME = '[^/]+';

const MAY_VIEW: readonly RegExp[] = [
  /^\/tswarm\/v1\/(cluster|events|history|why|nodes|services|tasks|networks|volumes|secrets|stacks|logs)$/,
  new RegExp(`^/tswarm/v1/services/${NAME}(/revisions)?$`),
  new RegExp(`^/tswarm/v1/stacks/${NAME}/(watch|logs)$`),
  new RegExp(`^/(services|tasks)/${NAME}/logs$`),
  new RegExp(`^/(services|tasks|nodes|networks|volumes|secrets)/${NAME}$`),
  new RegExp(`^/containers/${NAME}/(stats|top|logs)$`),
  /^\/(containers|images)\/json$/,
];

/** `path` is without a query. */
export function mayView(method: string, path: string): boolean {
  return (method === 'GET' || method === 'HEAD') && MAY_VIEW.some((pattern) => pattern.test(path));
}

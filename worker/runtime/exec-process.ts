// Another process in a running container: OCI process object from the container's own configuration and what the exec asks for.
import { TswarmError } from '#protocol/errors';
import { appArmorOf, capabilitySets, environmentOf, ociUser, rlimitsOf } from './bundle.ts';
import { ALL_CAPABILITIES, effectiveCapabilities } from './capabilities.ts';
import type { Container } from './container.ts';
import type { RuntimeDeps } from './deps.ts';
import type { OciProcess } from './oci.ts';
import { parseSecurityOptions } from './security-options.ts';

export interface ExecRequest {
  readonly command: readonly string[];
  readonly env: readonly string[];
  /** '' = the container's. */
  readonly workingDir: string;
  /** '' = the container's. */
  readonly user: string;
  readonly tty: boolean;
  readonly privileged: boolean;
  readonly consoleSize?: { readonly width: number; readonly height: number };
}

/** @throws conflict when the container does not run; not_found for an unknown user */
export async function execProcessOf(
  container: Container,
  request: ExecRequest,
  deps: RuntimeDeps,
): Promise<OciProcess> {
  const { record, run } = container;
  if (!run) throw new TswarmError('conflict', `container ${container.id} is not running`);
  const { config, hostConfig } = record;
  const user =
    request.user === '' || request.user === config.User
      ? run.user
      : await deps.users.resolve({
          rootDir: deps.images.rootfsOf(container.id)?.mergedDir ?? '',
          user: request.user,
          groups: hostConfig.GroupAdd ?? [],
          cacheKey: '',
        });
  const capabilities = request.privileged
    ? ALL_CAPABILITIES.filter((name) => deps.host.heldCapabilities.has(name)).map(
        (name) => `CAP_${name}`,
      )
    : effectiveCapabilities({
        privileged: hostConfig.Privileged,
        add: hostConfig.CapAdd ?? [],
        drop: hostConfig.CapDrop ?? [],
        held: deps.host.heldCapabilities,
      });
  const env = environmentOf(
    { Env: [...config.Env, ...request.env], Hostname: config.Hostname, Tty: request.tty },
    user.home,
  );
  const workingDir = request.workingDir === '' ? config.WorkingDir : request.workingDir;
  const size = request.consoleSize;
  const security = parseSecurityOptions(hostConfig.SecurityOpt);
  return {
    terminal: request.tty,
    ...(size && size.width > 0 && size.height > 0
      ? { consoleSize: { width: size.width, height: size.height } }
      : {}),
    user: ociUser(user),
    args: request.command,
    env,
    cwd: workingDir === '' ? '/' : workingDir,
    capabilities: capabilitySets(capabilities),
    ...rlimitsOf(hostConfig),
    noNewPrivileges: security.noNewPrivileges,
    ...appArmorOf(security),
  };
}

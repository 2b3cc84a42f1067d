// A request's configuration merged with its image's, by Docker's rules: what the request sets wins; environment, labels, exposed ports and volumes add up;
// the image's command counts only with the image's entrypoint.
import { TswarmError } from '#protocol/errors';
import type { ImageHealthcheck, ImageProcessConfig } from '../images/types.ts';
import type { ContainerConfig } from './record.ts';

/** A request before the merge: `null` = not said. */
export interface RequestedConfig extends ContainerConfig {
  /** Not even the image's command (Compose `command: []`). */
  readonly clearCommand?: boolean;
}

/** @throws invalid_argument "no command specified" */
export function mergeImageConfig(
  asked: RequestedConfig,
  image: ImageProcessConfig | undefined,
): ContainerConfig {
  const { clearCommand, ...config } = asked;
  const { entrypoint, command } = mergeCommand(asked, image);
  if (entrypoint.length + command.length === 0) {
    throw new TswarmError('invalid_argument', 'no command specified', {
      hint: 'Give a command, or use an image that has one.',
    });
  }
  const exposed = { ...(image?.ExposedPorts ?? {}), ...(asked.ExposedPorts ?? {}) };
  const volumes = { ...(image?.Volumes ?? {}), ...(asked.Volumes ?? {}) };
  const health = mergeHealth(asked.Healthcheck, image?.Healthcheck ?? undefined);
  const stopSignal = asked.StopSignal ?? image?.StopSignal;
  const stopTimeout = asked.StopTimeout ?? image?.StopTimeout;
  const shell = asked.Shell ?? image?.Shell ?? undefined;
  const { ExposedPorts, Healthcheck, StopSignal, StopTimeout, Shell, ...plain } = config;
  return {
    ...plain,
    User: asked.User === '' ? (image?.User ?? '') : asked.User,
    Env: mergeEnv(asked.Env, image?.Env ?? []),
    Entrypoint: entrypoint.length > 0 ? entrypoint : null,
    Cmd: command.length > 0 ? command : null,
    WorkingDir: asked.WorkingDir === '' ? (image?.WorkingDir ?? '') : asked.WorkingDir,
    Labels: { ...(image?.Labels ?? {}), ...asked.Labels },
    Volumes: Object.keys(volumes).length > 0 ? volumes : null,
    ...(Object.keys(exposed).length > 0 ? { ExposedPorts: exposed } : {}),
    ...(health ? { Healthcheck: health } : {}),
    ...(stopSignal ? { StopSignal: stopSignal } : {}),
    ...(stopTimeout !== undefined ? { StopTimeout: stopTimeout } : {}),
    ...(shell ? { Shell: shell } : {}),
  };
}

function mergeCommand(
  asked: RequestedConfig,
  image: ImageProcessConfig | undefined,
): { entrypoint: readonly string[]; command: readonly string[] } {
  const askedCommand = asked.Cmd ?? [];
  if (asked.Entrypoint === null) {
    const inherit = askedCommand.length === 0 && asked.clearCommand !== true;
    return {
      entrypoint: image?.Entrypoint ?? [],
      command: inherit ? (image?.Cmd ?? []) : askedCommand,
    };
  }
  // [""] is how the command line says "no entrypoint".
  const cleared = asked.Entrypoint.length === 1 && asked.Entrypoint[0] === '';
  return { entrypoint: cleared ? [] : asked.Entrypoint, command: askedCommand };
}

function mergeEnv(asked: readonly string[], image: readonly string[]): readonly string[] {
  const names = new Set(asked.map((entry) => entry.split('=', 1)[0] ?? ''));
  return [...asked, ...image.filter((entry) => !names.has(entry.split('=', 1)[0] ?? ''))];
}

function mergeHealth(
  asked: ImageHealthcheck | undefined,
  image: ImageHealthcheck | undefined,
): ImageHealthcheck | undefined {
  if (!asked) return image;
  if (!image) return asked;
  const pick = (own: number | undefined, inherited: number | undefined): number | undefined =>
    own === undefined || own === 0 ? inherited : own;
  const merged: Record<string, unknown> = {
    Test: asked.Test && asked.Test.length > 0 ? asked.Test : image.Test,
    Interval: pick(asked.Interval, image.Interval),
    Timeout: pick(asked.Timeout, image.Timeout),
    StartPeriod: pick(asked.StartPeriod, image.StartPeriod),
    StartInterval: pick(asked.StartInterval, image.StartInterval),
    Retries: pick(asked.Retries, image.Retries),
  };
  return Object.fromEntries(
    Object.entries(merged).filter(([, value]) => value !== undefined),
  ) as ImageHealthcheck;
}

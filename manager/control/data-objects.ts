// Secrets, configs and volumes: creation, label updates, and who uses one. The bytes of secrets and
// configs never change: what a task was started with stays what its service says.

import { sameBytes } from '#manager/store/kinds';
import type { StoreView, StoreWriteView } from '#manager/store/state';
import type { WriteView } from '#manager/store/view';
import { TswarmError } from '#protocol/errors';
import { Config, Secret, type Task, Volume } from '#protocol/generated/objects';
import { ConfigSpec, MountType, SecretSpec, type VolumeSpec } from '#protocol/generated/specs';
import { CONFIG_BYTES_MAX, SECRET_BYTES_MAX } from '../limits.ts';
import { isAlive } from './networks.ts';
import { checkLabels, checkSecretName, checkVolumeName, invalid } from './validate-names.ts';
import { refuseOldVersion } from './versions.ts';

const TEMPLATE_DRIVER = 'golang';

export function checkSecretSpec(spec: SecretSpec): void {
  checkSecretName(spec.name);
  checkLabels(spec.labels);
  if (spec.driver && spec.driver.name !== '') {
    throw new TswarmError(
      'not_supported',
      `secret ${spec.name}: secret drivers are not supported`,
      {
        field: 'Driver',
        hint: 'Give the secret its data.',
      },
    );
  }
  checkTemplating('secret', spec);
  if (spec.data.length < 1 || spec.data.length >= SECRET_BYTES_MAX) {
    throw invalid(
      'Data',
      `secret data must be larger than 0 and less than ${SECRET_BYTES_MAX} bytes`,
    );
  }
}

export function checkConfigSpec(spec: ConfigSpec): void {
  checkSecretName(spec.name);
  checkLabels(spec.labels);
  checkTemplating('config', spec);
  if (spec.data.length < 1 || spec.data.length >= CONFIG_BYTES_MAX) {
    throw invalid(
      'Data',
      `config data must be larger than 0 and less than ${CONFIG_BYTES_MAX} bytes`,
    );
  }
}

/** Templates are evaluated by the nodes; there is one kind, named as in Swarm. */
function checkTemplating(kind: string, spec: Pick<SecretSpec, 'name' | 'templating'>): void {
  if (!spec.templating || ['', TEMPLATE_DRIVER].includes(spec.templating.name)) return;
  throw new TswarmError(
    'not_supported',
    `${kind} ${spec.name}: template driver "${spec.templating.name}" is not supported`,
    { field: 'Templating', hint: `Use "${TEMPLATE_DRIVER}", or leave it out.` },
  );
}

export function createSecret(tx: WriteView, id: string, spec: SecretSpec, stack = ''): Secret {
  checkSecretSpec(spec);
  const secret = Secret.create({ id, spec, stack });
  tx.create('secret', secret);
  return secret;
}

export function createConfig(tx: WriteView, id: string, spec: ConfigSpec, stack = ''): Config {
  checkConfigSpec(spec);
  const config = Config.create({ id, spec, stack });
  tx.create('config', config);
  return config;
}

export function checkVolumeSpec(spec: VolumeSpec): void {
  checkVolumeName(spec.name);
  checkLabels(spec.labels);
  const driver = spec.driver?.name ?? '';
  if (driver !== '' && driver !== 'local') {
    throw invalid(
      'Driver',
      `create ${spec.name}: volume driver "${driver}" is not supported`,
      'Use local, or leave it out.',
    );
  }
}

export function createVolume(tx: WriteView, id: string, spec: VolumeSpec, stack = ''): Volume {
  checkVolumeSpec(spec);
  const volume = Volume.create({ id, spec, stack });
  tx.create('volume', volume);
  return volume;
}

/** Labels are all that can change of a secret. */
export function updateSecret(tx: WriteView, id: string, version: number, spec: SecretSpec): Secret {
  const secret = tx.get('secret', id);
  if (!secret?.spec) throw new TswarmError('not_found', `secret ${id} not found`);
  refuseOldVersion(secret, version);
  refuseOtherThanLabels(secret.spec, spec);
  const updated: Secret = {
    ...secret,
    spec: SecretSpec.create({ ...secret.spec, labels: spec.labels }),
  };
  tx.update('secret', updated);
  return updated;
}

/** Labels are all that can change of a config. */
export function updateConfig(tx: WriteView, id: string, version: number, spec: ConfigSpec): Config {
  const config = tx.get('config', id);
  if (!config?.spec) throw new TswarmError('not_found', `config ${id} not found`);
  refuseOldVersion(config, version);
  refuseOtherThanLabels(config.spec, spec);
  const updated: Config = {
    ...config,
    spec: ConfigSpec.create({ ...config.spec, labels: spec.labels }),
  };
  tx.update('config', updated);
  return updated;
}

function refuseOtherThanLabels(
  old: Pick<SecretSpec, 'name' | 'data'>,
  next: Pick<SecretSpec, 'name' | 'data' | 'labels'>,
): void {
  checkLabels(next.labels);
  const sameData = next.data.length === 0 || sameBytes(next.data, old.data);
  if (next.name === old.name && sameData) return;
  throw invalid(
    'Spec',
    'only updates to Labels are allowed',
    'Create another one and give it to the service.',
  );
}

/**
 * Names of the services that refer to a secret or config, also as what they would be rolled back
 * to.
 */
export function servicesUsing(view: StoreView, kind: 'secret' | 'config', id: string): string[] {
  return [...view.servicesUsing(kind, id)]
    .map((service) => service.spec?.name ?? service.id)
    .sort();
}

/** Removes a secret or config that no service refers to. */
export function removeData(tx: StoreWriteView, kind: 'secret' | 'config', id: string): void {
  const object = tx.get(kind, id);
  if (!object) throw new TswarmError('not_found', `${kind} ${id} not found`);
  const names = servicesUsing(tx, kind, id);
  if (names.length > 0) {
    const services = names.length === 1 ? 'service' : 'services';
    throw invalid(
      'ID',
      `${kind} '${object.spec?.name}' is in use by the following ${services}: ${names.join(', ')}`,
    );
  }
  tx.remove(kind, id);
}

/** Who uses a volume: a service, or a task of a removed one. */
export function volumeUser(view: StoreView, name: string): string | undefined {
  for (const service of view.servicesUsing('volume', name)) return `service ${service.spec?.name}`;
  for (const task of view.list('task')) {
    if (isAlive(task) && mountsVolume(task, name)) return `task ${task.id}`;
  }
  return undefined;
}

function mountsVolume(task: Task, name: string): boolean {
  const mounts = task.spec?.containerSpec?.mounts ?? [];
  return mounts.some((mount) => mount.type === MountType.VOLUME && mount.source === name);
}

export function removeVolume(tx: StoreWriteView, id: string): void {
  const volume = tx.get('volume', id);
  if (!volume) throw new TswarmError('not_found', `get ${id}: no such volume`);
  const name = volume.spec?.name ?? '';
  const user = volumeUser(tx, name);
  if (user) throw new TswarmError('conflict', `remove ${name}: volume is in use - [${user}]`);
  tx.remove('volume', id);
}

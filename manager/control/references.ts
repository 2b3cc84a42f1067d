// A service's references to other objects: names become ids when the service is written, so that
// what was meant stays meant when a name is used again later. Secrets and configs may be given by
// id, by name, or both, which then must agree.
import { NODE_LOCAL_NETWORKS } from '#manager/allocator/allocator';
import type { ReadView } from '#manager/store/view';
import { TswarmError } from '#protocol/errors';
import {
  ContainerSpec,
  FileTarget,
  NetworkAttachmentConfig,
  ServiceSpec,
  TaskSpec,
} from '#protocol/generated/specs';
import { invalid, quote } from './validate-names.ts';

const FILE_MODE_DEFAULT = 0o444;

/** The spec with every reference resolved. @throws TswarmError not_found, invalid_argument. */
export function resolveReferences(view: ReadView, spec: ServiceSpec): ServiceSpec {
  const template = spec.taskTemplate;
  const container = template?.containerSpec;
  if (!template || !container) return spec;
  return ServiceSpec.create({
    ...spec,
    taskTemplate: TaskSpec.create({
      ...template,
      networks: resolveNetworks(view, template.networks),
      containerSpec: ContainerSpec.create({
        ...container,
        secrets: resolveSecrets(view, container),
        configs: resolveConfigs(view, container),
      }),
    }),
  });
}

function resolveNetworks(
  view: ReadView,
  configs: readonly NetworkAttachmentConfig[],
): NetworkAttachmentConfig[] {
  const field = 'TaskTemplate.Networks';
  const targets = new Set<string>();
  return configs.map((config) => {
    const target = resolveNetwork(view, config.target);
    if (targets.has(target)) {
      throw invalid(field, `the service is attached to network ${quote(config.target)} twice`);
    }
    targets.add(target);
    if (NODE_LOCAL_NETWORKS.has(target) && configs.length > 1) {
      throw invalid(field, `network ${quote(target)} must be the only network of a service`);
    }
    return NetworkAttachmentConfig.create({ ...config, target });
  });
}

/** The id of a network from its id or name; a node-local network is meant by its name. */
function resolveNetwork(view: ReadView, target: string): string {
  if (target === '')
    throw invalid('TaskTemplate.Networks', 'a network attachment names no network');
  const network = view.get('network', target) ?? view.byName('network', target);
  if (!network) {
    if (NODE_LOCAL_NETWORKS.has(target)) return target;
    throw new TswarmError('not_found', `network ${target} not found`, {
      field: 'TaskTemplate.Networks',
    });
  }
  if (network.spec?.ingress) {
    throw invalid(
      'TaskTemplate.Networks',
      `Service cannot be explicitly attached to the ingress network ${quote(network.spec.name)}`,
    );
  }
  return network.id;
}

function resolveSecrets(view: ReadView, container: ContainerSpec): ContainerSpec['secrets'] {
  const targets = new Map<string, string>();
  return container.secrets.map((ref) => {
    const { id, name } = resolveData(view, 'secret', { id: ref.secretId, name: ref.secretName });
    const file = fileOf(ref.file, name);
    refuseSameTarget(targets, 'secret', name, file.name);
    return { secretId: id, secretName: name, file };
  });
}

function resolveConfigs(view: ReadView, container: ContainerSpec): ContainerSpec['configs'] {
  const targets = new Map<string, string>();
  return container.configs.map((ref) => {
    const { id, name } = resolveData(view, 'config', { id: ref.configId, name: ref.configName });
    const file = fileOf(ref.file, `/${name}`);
    refuseSameTarget(targets, 'config', name, file.name);
    return { configId: id, configName: name, file };
  });
}

function resolveData(
  view: ReadView,
  kind: 'secret' | 'config',
  ref: { readonly id: string; readonly name: string },
): { readonly id: string; readonly name: string } {
  const found =
    ref.id === ''
      ? view.byName(kind, ref.name)
      : (view.get(kind, ref.id) ?? view.byName(kind, ref.id));
  const name = found?.spec?.name ?? '';
  if (!found || (ref.name !== '' && ref.name !== name)) {
    const field = kind === 'secret' ? 'Secrets' : 'Configs';
    throw invalid(
      `TaskTemplate.ContainerSpec.${field}`,
      `${kind} not found: ${ref.name === '' ? ref.id : ref.name}`,
      found ? `The ${kind} with this id is called ${quote(name)}.` : `Create it first.`,
    );
  }
  return { id: found.id, name };
}

function fileOf(file: FileTarget | undefined, fallback: string): FileTarget {
  if (!file) {
    return FileTarget.create({ name: fallback, uid: '0', gid: '0', mode: FILE_MODE_DEFAULT });
  }
  return {
    name: file.name === '' ? fallback : file.name,
    uid: file.uid === '' ? '0' : file.uid,
    gid: file.gid === '' ? '0' : file.gid,
    mode: file.mode,
  };
}

function refuseSameTarget(
  targets: Map<string, string>,
  kind: 'secret' | 'config',
  name: string,
  target: string,
): void {
  const other = targets.get(target);
  if (other !== undefined) {
    throw invalid(
      `TaskTemplate.ContainerSpec.${kind === 'secret' ? 'Secrets' : 'Configs'}`,
      `${kind} references '${other}' and '${name}' have a conflicting target: '${target}'`,
    );
  }
  targets.set(target, name);
}

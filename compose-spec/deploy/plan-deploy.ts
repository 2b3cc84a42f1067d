// From a loaded project to what the cluster is asked for: one StackSpec with all its networks,
// volumes, secrets, configs and services, which the manager takes in one transaction. Pure: the
// content of files and the hash function come in as functions. Everything that cannot be done is
// reported at once; nothing that was written is dropped without a word.

import * as specs from '#protocol/generated/specs';
import { serviceJson, toCanonicalJson } from '../load/canonical-json.ts';
import type { ComposeError } from '../load/errors.ts';
import type { Location } from '../load/load-project.ts';
import { isRemote } from '../load/paths.ts';
import { withoutUnusedResources } from '../load/profiles.ts';
import type { Build, Project, Service } from '../load/project.ts';
import { ownValue } from '../load/records.ts';
import { planContainer, pullPolicyOf } from './container.ts';
import { LinkAliases, planEndpoint, planNetworks } from './endpoints.ts';
import { gitContext } from './git-context.ts';
import { checkLogging, planLogging } from './logging.ts';
import { imageName, serviceLabels, serviceName } from './names.ts';
import {
  type ExternalObjects,
  externalObjects,
  type PlannedObjects,
  planObjects,
} from './objects.ts';
import { planMode, planPlacement, planRestart, planUpdate } from './policies.ts';
import { withPreStart } from './pre-start.ts';
import { type Notice, Problems } from './problems.ts';
import { checkPublishedPorts } from './published-ports.ts';
import { planResources } from './resources.ts';
import { seccompFiles } from './security.ts';
import {
  checkOtherNetwork,
  checkVolumeOwners,
  companionKeys,
  withShareableIpc,
} from './shared-modes.ts';
import { homeOf, type Nodes, type ShippedBinds, shipBinds, type Tree } from './shipped.ts';
import { BUILD_SUPPORT, SERVICE_SUPPORT, type Support } from './support.ts';
import { utf8Bytes } from './utf8.ts';
import { withVolumesFrom } from './volumes-from.ts';

/** What planning needs from outside. */
export interface PlanOptions {
  /** SHA-256 of `data` as 64 hexadecimal digits. */
  readonly sha256Hex: (data: Uint8Array) => string;
  /** Bytes of a secret's or config's file; `undefined` when it cannot be read. */
  readonly readFile: (path: string) => Uint8Array | undefined;
  /** Version of the client, for the version label. */
  readonly version: string;
  /** `os/arch` of the nodes, to compare `platform` with; absent: not compared. */
  readonly hostPlatform?: string;
  /** Places in the files, as {@link LoadResult} gives them. */
  readonly locate?: (path: string) => Location | undefined;
  /**
   * Image id or digest by service key, as far as known: it becomes a label of the containers, so
   * that an image that was built anew under the same name replaces them.
   */
  readonly imageIds?: Readonly<Record<string, string>>;
  /** Nodes that take containers, when there are several: then bind mounts of the project's folder are shipped or refused. */
  readonly nodes?: Nodes;
  /**
   * Id of the only node that takes containers, if there is one: services that mount the project's
   * folder are kept on it, so that they never find an empty folder elsewhere once there are more.
   */
  readonly home?: string;
  /** What is at a path of this host; needed with `nodes`. */
  readonly readTree?: (path: string) => Tree;
  /** `--all-resources`: also networks, volumes, secrets and configs that no service uses. */
  readonly allResources?: boolean;
  /** `--scale`: replicas by service key; counts more than the file. */
  readonly scale?: Readonly<Record<string, number>>;
}

/** An image that a service needs. */
export interface PlannedImage {
  /** Key of the service in the file. */
  readonly service: string;
  readonly image: string;
  /** How to build it; absent: it comes from elsewhere. */
  readonly build?: Build;
  /** What the build is given; read only when it is built. */
  readonly secrets: readonly BuildSecret[];
  /** Further contexts: folders or docker-image://REF. */
  readonly contexts: Readonly<Record<string, string>>;
  /** Services whose images are among the contexts, and are built before. */
  readonly after: readonly string[];
  /** `pull_policy`, empty when not given. */
  readonly pullPolicy: string;
  readonly platform: string;
}

/** A secret of a build: a file of this host, or a text. */
export type BuildSecret =
  | { readonly id: string; readonly file: string }
  | { readonly id: string; readonly text: string };

/** A plan, or why there is none. */
export type PlanResult =
  | {
      readonly ok: true;
      readonly stack: specs.StackSpec;
      readonly images: readonly PlannedImage[];
      /** What must exist in the cluster already. */
      readonly external: ExternalObjects;
      readonly notices: readonly Notice[];
    }
  | {
      readonly ok: false;
      readonly errors: readonly ComposeError[];
      readonly notices: readonly Notice[];
    };

const PLAIN = { singleDollars: true } as const;

/** Plans the deployment of the active services of `project`. */
export function planDeploy(loaded: Project, options: PlanOptions): PlanResult {
  const problems = new Problems(options.locate ?? (() => undefined));
  const asked = scaled(loaded, options.scale ?? {}, problems);
  const hooked = withShareableIpc(withPreStart(asked, problems), problems);
  const all = withVolumesFrom(hooked, problems);
  const project = options.allResources === true ? all : withoutUnusedResources(all);
  for (const [key, service] of Object.entries(project.services)) {
    checkSupport(key, service, { project, options, problems });
  }
  checkPublishedPorts(project, problems);
  const objects = planObjects(project, options, problems);
  const links = new LinkAliases(project, problems);
  const shipped: specs.ConfigSpec[] = [];
  const services = Object.entries(project.services).map(([key, service]) => {
    const binds = shipBinds(project, key, service, options, problems);
    shipped.push(...binds.configs);
    return planService(project, key, service, { objects, links, options, problems, binds });
  });
  const { errors, notices } = problems;
  if (errors.length > 0) return { ok: false, errors, notices };
  const stack = specs.StackSpec.create({
    name: project.name,
    networks: objects.networks,
    volumes: objects.volumes,
    secrets: objects.secrets,
    configs: [...objects.configs, ...shipped],
    services,
    project: utf8Bytes(JSON.stringify(toCanonicalJson(withoutUnusedResources(asked), PLAIN))),
  });
  return {
    ok: true,
    stack,
    images: plannedImages(project),
    external: externalObjects(project),
    notices,
  };
}

function scaled(
  project: Project,
  scale: Readonly<Record<string, number>>,
  problems: Problems,
): Project {
  const services: Record<string, Service> = { ...project.services };
  for (const [key, count] of Object.entries(scale)) {
    const service = ownValue(services, key);
    if (service === undefined) problems.error(`services.${key}`, `no such service: ${key}`);
    else if (count > 1 && service.container_name !== undefined) {
      const hint = 'remove container_name';
      problems.error(
        `services.${key}.container_name`,
        'a container name can only be used once',
        hint,
      );
    } else services[key] = { ...service, scale: count };
  }
  return { ...project, services };
}

function checkSupport(
  key: string,
  service: Service,
  context: {
    readonly project: Project;
    readonly options: PlanOptions;
    readonly problems: Problems;
  },
): void {
  const { project, options, problems } = context;
  const path = `services.${key}`;
  checkKeys(service, SERVICE_SUPPORT, path, problems);
  checkOtherNetwork(path, service, problems);
  checkVolumeOwners(project, key, problems);
  if (service.pull_refresh_after !== undefined && service.pull_policy !== 'refresh') {
    const message = 'has no effect without `pull_policy: refresh`';
    problems.notice(`${path}.pull_refresh_after`, message);
  }
  const { platform, build } = service;
  const host = options.hostPlatform;
  const fits = (wanted: string): boolean => host === undefined || isSamePlatform(wanted, host);
  if (platform !== undefined && !fits(platform)) {
    const message = `${platform} does not run on the nodes here, which are ${host}`;
    problems.error(`${path}.platform`, message);
  }
  checkLogging(path, service, problems);
  if (build === undefined) return;
  checkKeys(build, BUILD_SUPPORT, `${path}.build`, problems);
  checkContext(`${path}.build.context`, build.context ?? '', problems);
  checkBuild(`${path}.build`, build, project, problems);
  for (const wanted of build.platforms ?? []) {
    if (fits(wanted)) continue;
    const message = `${wanted} cannot be built on the nodes here, which are ${host}`;
    problems.error(`${path}.build.platforms`, message);
  }
}

/** Refuses or mentions each key of `object` that `support` says so of. */
function checkKeys(
  object: object,
  support: Readonly<Record<string, Support>>,
  path: string,
  problems: Problems,
): void {
  for (const [field, value] of Object.entries(object)) {
    const what = ownValue(support, field);
    if (what?.kind === 'idle') problems.notice(`${path}.${field}`, what.why);
    if (what !== undefined && what.kind !== 'refused') continue;
    // Values that ask for what happens anyway.
    const isIdle =
      value === null || value === 'false' || (field === 'isolation' && value === 'default');
    if (!isIdle) problems.unsupported(`${path}.${field}`, what?.reason ?? '');
  }
}

function isSamePlatform(platform: string, host: string): boolean {
  const normal = (text: string): string => {
    const [os = '', arch = ''] = text.toLowerCase().split('/', 2);
    const names: Readonly<Record<string, string>> = { x86_64: 'amd64', aarch64: 'arm64' };
    return arch === '' ? (ownValue(names, os) ?? os) : `${os}/${ownValue(names, arch) ?? arch}`;
  };
  const [wanted, present] = [normal(platform), normal(host)];
  return wanted === present || present.startsWith(`${wanted}/`) || present.endsWith(`/${wanted}`);
}

interface ServiceContext {
  readonly binds: ShippedBinds;
  readonly objects: PlannedObjects;
  readonly links: LinkAliases;
  readonly options: PlanOptions;
  readonly problems: Problems;
}

const NO_BYTES = new Uint8Array();

function planService(
  project: Project,
  key: string,
  service: Service,
  context: ServiceContext,
): specs.ServiceSpec {
  const { objects, links, options, problems, binds } = context;
  const path = `services.${key}`;
  const versions = [
    ...binds.references.map(({ configName }) => configName),
    ...seccompFiles(project, service).map((file) =>
      options.sha256Hex(options.readFile(file) ?? NO_BYTES),
    ),
  ];
  const configHash = hashOf(project, key, service, options, objects, versions);
  const { deploy } = service;
  return specs.ServiceSpec.create({
    name: serviceName(project, key),
    labels: serviceLabels(project, key, service, { configHash, version: options.version }),
    taskTemplate: specs.TaskSpec.create({
      containerSpec: planContainer(project, key, service, {
        objects,
        configHash,
        imageIds: options.imageIds ?? {},
        problems,
        binds,
        severalNodes: options.nodes !== undefined,
        readFile: options.readFile,
      }),
      resources: planResources(path, service, problems),
      ...planRestart(path, service, problems),
      placement: planPlacement(deploy, homeOf(project, service, options.home)),
      networks: planNetworks(project, key, service, links, problems),
      logDriver: planLogging(service),
      dependsOn: planDependencies(project, service),
    }),
    mode: planMode(path, service, problems),
    updateConfig: planUpdate(`${path}.deploy.update_config`, deploy?.update_config, problems),
    rollbackConfig: planUpdate(`${path}.deploy.rollback_config`, deploy?.rollback_config, problems),
    endpointSpec: planEndpoint(key, service, problems),
  });
}

const CONDITIONS: Readonly<Record<string, specs.DependencyCondition>> = {
  service_started: specs.DependencyCondition.STARTED,
  service_healthy: specs.DependencyCondition.HEALTHY,
  service_completed_successfully: specs.DependencyCondition.COMPLETED,
};

function planDependencies(project: Project, service: Service): specs.ServiceDependency[] {
  const companions = companionKeys(service);
  return Object.entries(service.depends_on ?? {}).flatMap(([name, dependency]) =>
    // A service that is switched off and not required is not waited for.
    Object.hasOwn(project.services, name)
      ? [
          specs.ServiceDependency.create({
            service: serviceName(project, name),
            condition: CONDITIONS[dependency.condition] ?? specs.DependencyCondition.STARTED,
            // What stands beside another container is started again with it anyway.
            restart: dependency.restart === true && !companions.includes(name),
            required: dependency.required,
          }),
        ]
      : [],
  );
}

/** What of a service can change without its containers being any different. */
const NOT_HASHED = [
  'build',
  'depends_on',
  'develop',
  'profiles',
  'pull_policy',
  'pull_refresh_after',
  'scale',
] as const;
const DEPLOY_NOT_HASHED = [
  'replicas',
  'labels',
  'update_config',
  'rollback_config',
  'endpoint_mode',
];

/** Changes when, and only when, the containers of the service have to be replaced. */
function hashOf(
  project: Project,
  key: string,
  service: Service,
  options: PlanOptions,
  objects: PlannedObjects,
  shipped: readonly string[],
): string {
  const json: Record<string, unknown> = { ...serviceJson(service) };
  for (const field of NOT_HASHED) delete json[field];
  const { deploy, ...rest } = json;
  const settings = Object.entries((deploy ?? {}) as Readonly<Record<string, object>>).filter(
    ([field, value]) => !DEPLOY_NOT_HASHED.includes(field) && Object.keys(value).length > 0,
  );
  const versions = [
    ...(service.secrets ?? []).map(({ source = '' }) => ownValue(objects.secretNames, source)),
    ...(service.configs ?? []).map(({ source = '' }) => ownValue(objects.configNames, source)),
    ...shipped,
  ];
  const networks = Object.keys(service.networks ?? {}).map(
    (name) => ownValue(project.networks, name)?.name,
  );
  const volumes = (service.volumes ?? []).map(
    ({ source = '' }) => ownValue(project.volumes, source)?.name,
  );
  const hashed = [
    key,
    imageName(project, key, service),
    rest,
    settings,
    versions,
    networks,
    volumes,
  ];
  return options.sha256Hex(utf8Bytes(JSON.stringify(hashed)));
}

function plannedImages(project: Project): PlannedImage[] {
  return Object.entries(project.services).map(([key, service]) => ({
    service: key,
    image: imageName(project, key, service),
    ...(service.build === undefined ? {} : { build: service.build }),
    ...plannedExtras(project, service.build ?? {}),
    pullPolicy: pullPolicyOf(service),
    platform: service.platform ?? '',
  }));
}

function plannedExtras(
  project: Project,
  build: Build,
): Pick<PlannedImage, 'secrets' | 'contexts' | 'after'> {
  const after: string[] = [];
  const contexts = Object.entries(build.additional_contexts ?? {}).map(([name, source]) => {
    const [, other] = /^service:(.*)$/.exec(source) ?? [];
    const service = other === undefined ? undefined : ownValue(project.services, other);
    if (other === undefined || service === undefined) return [name, source] as const;
    after.push(other);
    return [name, `docker-image://${imageName(project, other, service)}`] as const;
  });
  const secrets = (build.secrets ?? []).flatMap(({ source = '', target }): BuildSecret[] => {
    const id = target ?? source;
    const object = ownValue(project.secrets, source);
    if (object?.file !== undefined) return [{ id, file: object.file }];
    const variable = object?.environment;
    const text = variable === undefined ? object?.content : project.environment[variable];
    return text === undefined ? [] : [{ id, text }];
  });
  return { secrets, contexts: Object.fromEntries(contexts), after };
}

/** A context is a folder, a git repository or something at an http or https address. */
function checkContext(path: string, context: string, problems: Problems): void {
  if (!isRemote(context) || gitContext(context) !== undefined) return;
  if (/^https?:\/\//i.test(context)) return;
  const message = `${context} is no folder, git repository or http or https address`;
  problems.error(path, message, 'download it and name the folder', 'unsupported');
}

/** What of a build can only be said of the whole project. */
function checkBuild(path: string, build: Build, project: Project, problems: Problems): void {
  for (const [name, source] of Object.entries(build.additional_contexts ?? {})) {
    const where = `${path}.additional_contexts.${name}`;
    const [, scheme = ''] = /^([a-z-]+):\/\//.exec(source) ?? [];
    if (scheme !== 'docker-image') checkContext(where, source, problems);
  }
  for (const [index, text] of (build.ssh ?? []).entries()) {
    if (/^[^=]+(=.+)?$/.test(text)) continue;
    problems.error(`${path}.ssh.${index}`, `${text} is no id or id=path`, 'write `default`');
  }
  for (const [index, name] of (build.entitlements ?? []).entries()) {
    if (name === 'network.host' || name === 'security.insecure') continue;
    const hint = 'there are network.host and security.insecure';
    problems.error(`${path}.entitlements.${index}`, `unknown entitlement ${name}`, hint);
  }
  for (const [index, { source = '' }] of (build.secrets ?? []).entries()) {
    const object = ownValue(project.secrets, source);
    if (object?.external !== true) continue;
    const message = `secret ${source} is the cluster’s, which gives it to containers only`;
    problems.error(`${path}.secrets.${index}`, message, 'use `file` or `environment`');
  }
}

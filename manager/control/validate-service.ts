// What a service specification may say, beyond its container: mode, ports, update and restart
// settings, placement, dependencies. Texts as in swarmkit manager/controlapi/service.go. Refuses
// nothing that depends on other objects; see references.ts and ports.ts.
import { parseConstraint } from '#manager/scheduler/constraint';
import { companionServices } from '#protocol/companions';
import {
  EndpointMode,
  type EndpointSpec,
  PublishMode,
  type ServiceMode,
  type ServiceSpec,
  SessionAffinity,
  type TaskSpec,
  type UpdateConfig,
  UpdateOrder,
} from '#protocol/generated/specs';
import { checkContainer, checkResources } from './validate-container.ts';
import { checkDnsName, checkLabels, invalid, quote } from './validate-names.ts';

const PORT_MAX = 65_535;
/** A typing error must not fill the store; swarm clusters were never shown to go beyond. */
const REPLICAS_MAX = 100_000;

/** @throws TswarmError invalid_argument, not_supported with the field. */
export function checkServiceSpec(spec: ServiceSpec): void {
  checkDnsName(spec.name);
  checkLabels(spec.labels);
  const template = spec.taskTemplate;
  if (!template) throw invalid('TaskTemplate', 'TaskSpec: missing in service spec');
  checkMode(spec.mode);
  checkRuntime(template);
  checkContainer(template.containerSpec);
  checkLabels(template.containerSpec?.labels ?? {}, 'TaskTemplate.ContainerSpec.Labels');
  checkResources(template);
  checkRestart(template);
  checkPlacement(template);
  checkDependencies(spec, template);
  checkCompanions(spec, template);
  checkAddresses(spec, template);
  if ((spec.drainTimeout ?? 0) < 0)
    throw invalid('DrainTimeout', 'drain timeout cannot be negative');
  checkUpdateConfig(spec.updateConfig, 'UpdateConfig');
  checkUpdateConfig(spec.rollbackConfig, 'RollbackConfig');
  checkJob(spec);
  checkEndpoint(spec.endpointSpec);
}

function checkRuntime(template: TaskSpec): void {
  if (template.runtime === '' || template.runtime === 'container') return;
  throw invalid(
    'TaskTemplate.Runtime',
    `TaskSpec: runtime ${quote(template.runtime)} is not supported`,
    'Leave it out, or use "container".',
  );
}

function checkMode(mode: ServiceMode | undefined): void {
  const set = [mode?.replicated, mode?.global, mode?.replicatedJob, mode?.globalJob].filter(
    Boolean,
  );
  if (set.length > 1) throw invalid('Mode', 'must specify only one service mode');
  checkCount(mode?.replicated?.replicas, 'Mode.Replicated.Replicas');
  checkCount(mode?.replicatedJob?.maxConcurrent, 'Mode.ReplicatedJob.MaxConcurrent');
  checkCount(mode?.replicatedJob?.totalCompletions, 'Mode.ReplicatedJob.TotalCompletions');
}

/** @throws TswarmError invalid_argument unless the number of tasks is sensible. */
export function checkCount(count: number | undefined, field: string): void {
  if (count === undefined) return;
  if (count < 0) throw invalid(field, `${field}: ${count} is negative`);
  if (count > REPLICAS_MAX) throw invalid(field, `${field}: ${count}, at most ${REPLICAS_MAX}`);
}

function checkJob(spec: ServiceSpec): void {
  if (!spec.mode?.replicatedJob && !spec.mode?.globalJob) return;
  if (spec.updateConfig) throw invalid('UpdateConfig', 'update config is not allowed for jobs');
  if (spec.rollbackConfig)
    throw invalid('RollbackConfig', 'rollback config is not allowed for jobs');
}

function checkRestart(template: TaskSpec): void {
  const policy = template.restartPolicy;
  const field = 'TaskTemplate.RestartPolicy';
  if ((policy?.delay ?? 0) < 0)
    throw invalid(`${field}.Delay`, 'TaskSpec: restart-delay cannot be negative');
  if ((policy?.window ?? 0) < 0)
    throw invalid(`${field}.Window`, 'TaskSpec: restart-window cannot be negative');
  if ((policy?.maxAttempts ?? 0) < 0) {
    throw invalid(`${field}.MaxAttempts`, 'TaskSpec: restart-max-attempts cannot be negative');
  }
  if ((template.engineRestart?.maximumRetryCount ?? 0) < 0) {
    throw invalid(
      'TaskTemplate.EngineRestart.MaximumRetryCount',
      'maximum retry count cannot be negative',
    );
  }
}

function checkPlacement(template: TaskSpec): void {
  const field = 'TaskTemplate.Placement';
  for (const constraint of template.placement?.constraints ?? []) parseConstraint(constraint);
  for (const { spread } of template.placement?.preferences ?? []) {
    const by = spread?.spreadDescriptor ?? '';
    if (!/^(node|engine)\.labels\../i.test(by)) {
      throw invalid(
        `${field}.Preferences`,
        `spread over ${quote(by)} is not supported`,
        'Spread over node.labels.<name> or engine.labels.<name>.',
      );
    }
  }
  if ((template.placement?.maxReplicas ?? 0) < 0) {
    throw invalid(`${field}.MaxReplicas`, 'TaskSpec: max replicas per node cannot be negative');
  }
}

/** An address belongs to one task at a time, so a service that asks for one has one task. */
function checkAddresses(spec: ServiceSpec, template: TaskSpec): void {
  const fixed = template.networks.find((one) => one.ipv4Address !== '' || one.ipv6Address !== '');
  if (!fixed) return;
  const field = 'TaskTemplate.Networks';
  const address = fixed.ipv4Address || fixed.ipv6Address;
  if ((spec.mode?.replicated?.replicas ?? 1) > 1 || (spec.mode && !spec.mode.replicated)) {
    throw invalid(
      field,
      `address ${address} can only be given to a service with one replica`,
      'Leave the address out, or set the replicas to 1.',
    );
  }
  const orders = [spec.updateConfig?.order, spec.rollbackConfig?.order];
  if (orders.includes(UpdateOrder.START_FIRST)) {
    throw invalid(
      field,
      `address ${address} cannot be used with start-first: two tasks would need it`,
      'Use stop-first.',
    );
  }
}

function checkDependencies(spec: ServiceSpec, template: TaskSpec): void {
  for (const dependency of template.dependsOn) {
    checkDnsName(dependency.service, 'TaskTemplate.DependsOn');
    if (dependency.service === spec.name) {
      throw invalid('TaskTemplate.DependsOn', `service ${spec.name} depends on itself`);
    }
  }
}

/** A container in another one's network has no addresses and no ports of its own. */
function checkCompanions(spec: ServiceSpec, template: TaskSpec): void {
  const container = template.containerSpec;
  const field = 'TaskTemplate.ContainerSpec.NetworkMode';
  if (companionServices(container).includes(spec.name)) {
    throw invalid(field, `service ${spec.name} cannot share a namespace with itself`);
  }
  const mode = container?.networkMode ?? '';
  if (mode === '') return;
  if (template.networks.length > 0) {
    throw invalid(field, `a service in the network of ${quote(mode)} has no networks of its own`);
  }
  if ((spec.endpointSpec?.ports.length ?? 0) > 0) {
    throw invalid(
      field,
      `a service in the network of ${quote(mode)} publishes no ports`,
      'Publish them at that one.',
    );
  }
}

function checkUpdateConfig(config: UpdateConfig | undefined, field: string): void {
  if (!config) return;
  if (config.parallelism < 0)
    throw invalid(`${field}.Parallelism`, 'TaskSpec: update-parallelism cannot be negative');
  if (config.delay < 0)
    throw invalid(`${field}.Delay`, 'TaskSpec: update-delay cannot be negative');
  if ((config.monitor ?? 0) < 0)
    throw invalid(`${field}.Monitor`, 'TaskSpec: update-monitor cannot be negative');
  if (!(config.maxFailureRatio >= 0 && config.maxFailureRatio <= 1)) {
    throw invalid(
      `${field}.MaxFailureRatio`,
      'TaskSpec: update-maxfailureratio cannot be less than 0 or bigger than 1',
    );
  }
  if (config.progressDeadline < 0)
    throw invalid(`${field}.ProgressDeadline`, 'TaskSpec: progress deadline cannot be negative');
}

function checkEndpoint(endpoint: EndpointSpec | undefined): void {
  if (!endpoint) return;
  const chooses = endpoint.sessionAffinity !== SessionAffinity.NONE || endpoint.preferSameNode;
  if (chooses && endpoint.mode === EndpointMode.DNSRR) {
    throw invalid(
      'EndpointSpec',
      "EndpointSpec: session affinity and a preferred node can't be used with dnsrr mode",
      'With dnsrr the client chooses the address: use endpoint mode vip.',
    );
  }
  const field = 'EndpointSpec.Ports';
  const seen = new Map<string, string[]>();
  for (const port of endpoint.ports) {
    if (port.targetPort < 1 || port.targetPort > PORT_MAX) {
      throw invalid(
        field,
        `EndpointSpec: target port ${port.targetPort} is not between 1 and ${PORT_MAX}`,
      );
    }
    if (port.publishedPort > PORT_MAX) {
      throw invalid(
        field,
        `EndpointSpec: published port ${port.publishedPort} is above ${PORT_MAX}`,
      );
    }
    const { publishedFirst: first, publishedLast: last } = port;
    if (first > 0 && (last < first || last > PORT_MAX || port.publishedPort > 0)) {
      throw invalid(field, `EndpointSpec: ${first}-${last} is no range to choose a port from`);
    }
    const isIngress = port.publishMode === PublishMode.INGRESS;
    if (isIngress && endpoint.mode === EndpointMode.DNSRR) {
      throw invalid(
        field,
        "EndpointSpec: port published with ingress mode can't be used with dnsrr mode",
      );
    }
    if (port.publishedPort === 0) continue;
    const key = `${port.publishedPort}/${port.protocol}`;
    const addresses = seen.get(key) ?? [];
    if (addresses.some((a) => a === '' || port.hostIp === '' || a === port.hostIp)) {
      throw invalid(
        field,
        'EndpointSpec: duplicate published ports provided',
        `It is port ${port.publishedPort}.`,
      );
    }
    seen.set(key, [...addresses, port.hostIp]);
  }
}

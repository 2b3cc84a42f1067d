// tswarm service inspect --pretty: one service as people read it, in docker's layout, with what docker's services lack at the end.
import { printDuration } from '#compose-spec/load/units';
import type { Json } from '../../client/http.ts';
import { humanSize } from '../../output/human.ts';

const obj = (value: unknown): Json =>
  typeof value === 'object' && value !== null ? (value as Json) : {};
const many = (value: unknown): readonly Json[] => (Array.isArray(value) ? (value as Json[]) : []);
const texts = (value: unknown): readonly string[] =>
  Array.isArray(value) ? (value as string[]) : [];

/** Text of one service. */
export function prettyService(service: Json): string {
  const spec = obj(service.Spec);
  const template = obj(spec.TaskTemplate);
  const container = obj(template.ContainerSpec);
  const lines = [
    `ID:\t\t${service.ID}`,
    `Name:\t\t${spec.Name}`,
    ...pairs('Labels:', spec.Labels),
    ...modeLines(obj(spec.Mode)),
    ...updateLines(obj(service.UpdateStatus)),
    ...placementLines(obj(template.Placement)),
    ...configLines('UpdateConfig:', spec.UpdateConfig),
    ...configLines('RollbackConfig:', spec.RollbackConfig),
    'ContainerSpec:',
    ` Image:\t\t${container.Image}`,
    ...row(' Command:\t', texts(container.Command).join(' ')),
    ...row(' Args:\t\t', texts(container.Args).join(' ')),
    ...row(' Env:\t\t', texts(container.Env).join(' ')),
    ...row(' Dir:\t\t', container.Dir),
    ...row(' User:\t\t', container.User),
    ...row(' Init:\t\t', container.Init),
    ...mountLines(many(container.Mounts)),
    ...resourceLines(obj(template.Resources)),
    ...row(
      'Networks:\t',
      many(template.Networks)
        .map((one) => one.Target)
        .join(' '),
    ),
    `Endpoint Mode:\t${obj(spec.EndpointSpec).Mode ?? 'vip'}`,
    ...row('Affinity:\t', obj(spec.EndpointSpec).SessionAffinity),
    ...row('Same node:\t', obj(spec.EndpointSpec).PreferSameNode && 'preferred'),
    ...portLines(many(obj(service.Endpoint).Ports)),
    ...pairs('Container Labels:', container.Labels),
    ...row('Privileged:\t', container.Privileged),
    ...many(container.Devices).map((one) => `Device:\t\t${one.PathOnHost}:${one.PathInContainer}`),
    ...(spec.DrainTimeout === undefined ? [] : [`Drain timeout:\t${time(spec.DrainTimeout)}`]),
  ];
  return `${lines.join('\n')}\n`;
}

function time(nanos: unknown): string {
  return printDuration(Number(nanos ?? 0));
}

function row(title: string, value: unknown): readonly string[] {
  return value === undefined || value === '' || value === false ? [] : [`${title}${value}`];
}

function pairs(title: string, labels: unknown): readonly string[] {
  const entries = Object.entries(obj(labels)).sort();
  return entries.length === 0 ? [] : [title, ...entries.map(([key, value]) => ` ${key}=${value}`)];
}

function modeLines(mode: Json): readonly string[] {
  if (mode.Global) return ['Service Mode:\tGlobal'];
  if (mode.GlobalJob) return ['Service Mode:\tGlobalJob'];
  if (!mode.ReplicatedJob) {
    return ['Service Mode:\tReplicated', ` Replicas:\t${obj(mode.Replicated).Replicas ?? 1}`];
  }
  const job = obj(mode.ReplicatedJob);
  return [
    'Service Mode:\tReplicatedJob',
    ` Max Concurrent:\t${job.MaxConcurrent ?? 1}`,
    ` Total Completions:\t${job.TotalCompletions ?? 1}`,
  ];
}

function updateLines(status: Json): readonly string[] {
  if (!status.State) return [];
  return ['UpdateStatus:', ` State:\t\t${status.State}`, ` Message:\t${status.Message ?? ''}`];
}

function placementLines(placement: Json): readonly string[] {
  const spreads = many(placement.Preferences).map((one) => obj(one.Spread).SpreadDescriptor);
  return [
    'Placement:',
    ...row(' Constraints:\t', texts(placement.Constraints).join(', ')),
    ...row(' Preferences:\t', spreads.map((one) => `spread=${one}`).join(', ')),
    ...row(' Max Replicas Per Node:\t', placement.MaxReplicas),
  ];
}

function configLines(title: string, value: unknown): readonly string[] {
  if (!value) return [];
  const config = obj(value);
  return [
    title,
    ` Parallelism:\t${config.Parallelism ?? 0}`,
    ...(config.Delay ? [` Delay:\t\t${time(config.Delay)}`] : []),
    ` On failure:\t${config.FailureAction ?? 'pause'}`,
    ` Monitoring Period: ${time(config.Monitor ?? 5e9)}`,
    ` Max failure ratio: ${config.MaxFailureRatio ?? 0}`,
    ` Order:\t\t${config.Order ?? 'stop-first'}`,
  ];
}

function mountLines(mounts: readonly Json[]): readonly string[] {
  if (mounts.length === 0) return [];
  return [
    'Mounts:',
    ...mounts.flatMap((mount) => [
      ` Target:\t${mount.Target}`,
      ...row('  Source:\t', mount.Source),
      `  ReadOnly:\t${mount.ReadOnly === true}`,
      `  Type:\t\t${mount.Type}`,
    ]),
  ];
}

function resourceLines(resources: Json): readonly string[] {
  const part = (title: string, value: unknown): readonly string[] => {
    const amounts = obj(value);
    const rows = [
      ...(amounts.NanoCPUs ? [`  CPU:\t\t${Number(amounts.NanoCPUs) / 1e9}`] : []),
      ...(amounts.MemoryBytes ? [`  Memory:\t${humanSize(Number(amounts.MemoryBytes))}`] : []),
      ...(amounts.Pids ? [`  Pids:\t\t${amounts.Pids}`] : []),
    ];
    return rows.length === 0 ? [] : [title, ...rows];
  };
  return [
    'Resources:',
    ...part(' Reservations:', resources.Reservations),
    ...part(' Limits:', resources.Limits),
  ];
}

function portLines(ports: readonly Json[]): readonly string[] {
  if (ports.length === 0) return [];
  return [
    'Ports:',
    ...ports.map(
      (port) =>
        ` PublishedPort = ${port.PublishedPort ?? 0}  Protocol = ${port.Protocol ?? 'tcp'}  TargetPort = ${port.TargetPort}  PublishMode = ${port.PublishMode ?? 'ingress'}`,
    ),
  ];
}

// tswarm node inspect --pretty: one node as people read it, in docker's layout.
import type { Json } from '../../client/http.ts';
import { humanSize } from '../../output/human.ts';

const obj = (value: unknown): Json =>
  typeof value === 'object' && value !== null ? (value as Json) : {};
const capital = (value: unknown): string => {
  const text = String(value ?? '');
  return text.charAt(0).toUpperCase() + text.slice(1);
};

/** Text of one node. */
export function prettyNode(node: Json): string {
  const [spec, description, status] = [obj(node.Spec), obj(node.Description), obj(node.Status)];
  const [platform, resources] = [obj(description.Platform), obj(description.Resources)];
  const engine = obj(description.Engine);
  const lines = [
    `ID:\t\t\t${node.ID}`,
    ...(spec.Name ? [`Name:\t\t\t${spec.Name}`] : []),
    ...labelLines('Labels:', spec.Labels),
    `Hostname:              \t${description.Hostname ?? ''}`,
    `Joined at:             \t${String(node.CreatedAt ?? '')
      .replace('T', ' ')
      .replace('Z', ' +0000 utc')}`,
    'Status:',
    ` State:\t\t\t${capital(status.State)}`,
    ...(status.Message ? [` Message:              \t${capital(status.Message)}`] : []),
    ` Availability:         \t${capital(spec.Availability)}`,
    ` Address:\t\t${status.Addr ?? ''}`,
    ...managerLines(node.ManagerStatus),
    'Platform:',
    ` Operating System:\t${platform.OS ?? ''}`,
    ` Architecture:\t\t${platform.Architecture ?? ''}`,
    'Resources:',
    ` CPUs:\t\t\t${Number(resources.NanoCPUs ?? 0) / 1e9}`,
    ` Memory:\t\t${humanSize(Number(resources.MemoryBytes ?? 0))}`,
    ...pluginLines(engine.Plugins),
    `Engine Version:\t\t${engine.EngineVersion ?? ''}`,
    ...labelLines('Engine Labels:', engine.Labels),
    ...tlsLines(obj(description.TLSInfo).TrustRoot),
  ];
  return `${lines.join('\n')}\n`;
}

function labelLines(title: string, labels: unknown): readonly string[] {
  const entries = Object.entries(obj(labels));
  if (entries.length === 0) return [];
  return [title, ...entries.sort().map(([key, value]) => ` - ${key}=${value}`)];
}

function managerLines(value: unknown): readonly string[] {
  if (!value) return [];
  const status = obj(value);
  return [
    'Manager Status:',
    ` Address:\t\t${status.Addr ?? ''}`,
    ` Raft Status:\t\t${capital(status.Reachability)}`,
    ` Leader:\t\t${status.Leader ? 'Yes' : 'No'}`,
  ];
}

function pluginLines(value: unknown): readonly string[] {
  const byType = new Map<string, string[]>();
  for (const plugin of Array.isArray(value) ? (value as Json[]) : []) {
    const type = String(plugin.Type);
    byType.set(type, [...(byType.get(type) ?? []), String(plugin.Name)]);
  }
  if (byType.size === 0) return [];
  const rows = [...byType].sort().map(([type, names]) => ` ${type}:\t\t${names.join(', ')}`);
  return ['Plugins:', ...rows];
}

function tlsLines(root: unknown): readonly string[] {
  return typeof root === 'string' && root !== ''
    ? ['TLS Info:', ` TrustRoot:\n${root.trim()}`]
    : [];
}

// The few template words that Swarm evaluates on the node, in environment, hostname and mounts: `{{.Service.Name}}`, `{{.Task.Slot}}`, `{{.Node.Hostname}}`
// and so on. Anything else between double braces is an error that names it, never passed through by accident.
import { TswarmError } from '#protocol/errors';
import type { Task } from '#protocol/generated/objects';
import { taskName } from '#protocol/ids';

export interface TemplateNode {
  readonly id: string;
  readonly hostname: string;
  readonly os: string;
  readonly architecture: string;
}

/** Text with its template words replaced. @throws invalid_argument naming the field */
export function expandTemplate(
  text: string,
  task: Task,
  node: TemplateNode,
  labels: Readonly<Record<string, string>>,
  field: string,
): string {
  if (!text.includes('{{')) return text;
  return text.replace(/\{\{-?\s*(.*?)\s*-?\}\}/g, (whole, expression: string) => {
    const value = templateValue(expression, task, node, labels);
    if (value === undefined) {
      throw new TswarmError('invalid_argument', `${field}: template ${whole} is not known`, {
        field,
        hint: 'Known: .Service.ID .Service.Name .Service.Labels .Node.ID .Node.Hostname .Node.Platform.OS .Node.Platform.Architecture .Task.ID .Task.Name .Task.Slot',
      });
    }
    return value;
  });
}

function templateValue(
  expression: string,
  task: Task,
  node: TemplateNode,
  labels: Readonly<Record<string, string>>,
): string | undefined {
  const label =
    /^index\s+\.Service\.Labels\s+"([^"]*)"$/.exec(expression) ??
    /^\.Service\.Labels\.([A-Za-z0-9_]+)$/.exec(expression);
  if (label) return labels[label[1] ?? ''] ?? '';
  const words: Readonly<Record<string, string>> = {
    '.Service.ID': task.serviceId,
    '.Service.Name': task.serviceName,
    '.Node.ID': node.id,
    '.Node.Hostname': node.hostname,
    '.Node.Platform.OS': node.os,
    '.Node.Platform.Architecture': node.architecture,
    '.Task.ID': task.id,
    '.Task.Name': taskName(task),
    '.Task.Slot': task.slot > 0 ? String(task.slot) : node.id,
  };
  return words[expression];
}

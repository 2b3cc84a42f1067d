// Secrets and configs that are templates (Templating "golang"): evaluated on the node, when the task
// starts. Words as in environment and hostname (template.ts), and three functions, as in Swarm:
// {{ secret "TARGET" }} and {{ config "TARGET" }} give what the same container has at that target,
// {{ env "NAME" }} a variable of its environment. The result lies on a tmpfs only.
// Refuses anything else between double braces, with the name of the secret or config.
import { TswarmError } from '#protocol/errors';
import type { Task } from '#protocol/generated/objects';
import { expandTemplate, type TemplateNode } from './template.ts';

/** The one template driver there is, by Swarm's name. */
export const TEMPLATE_DRIVER = 'golang';

export interface PayloadContext {
  readonly task: Task;
  readonly node: TemplateNode;
  /** `NAME=value`. */
  readonly env: readonly string[];
  /** Data of a secret or config by id; undefined when it is not here. */
  data(id: string): Uint8Array | undefined;
}

const ACTION = /\{\{.*?\}\}/gs;
const FUNCTION = /^\{\{-?\s*(secret|config|env)\s+"([^"]*)"\s*-?\}\}$/;

/** @throws TswarmError invalid_argument, failed_precondition (what it asks for is not here) */
export function expandPayload(
  payload: Uint8Array,
  context: PayloadContext,
  field: string,
): Uint8Array {
  const { task, node } = context;
  // Byte for byte: what is around the actions may be more than UTF-8 text.
  const text = Buffer.from(payload).toString('latin1');
  const full = text.replace(ACTION, (bytes) => {
    const action = Buffer.from(bytes, 'latin1').toString('utf8');
    const [, name, argument = ''] = FUNCTION.exec(action) ?? [];
    if (name !== undefined) return resultOf(name, argument, context, field);
    const value = expandTemplate(action, task, node, task.labels, field);
    return Buffer.from(value).toString('latin1');
  });
  return new Uint8Array(Buffer.from(full, 'latin1'));
}

/** As bytes in a text. */
function resultOf(name: string, argument: string, context: PayloadContext, field: string): string {
  if (name === 'env') {
    const found = context.env.find((entry) => entry.startsWith(`${argument}=`));
    return Buffer.from(found?.slice(argument.length + 1) ?? '').toString('latin1');
  }
  const container = context.task.spec?.containerSpec;
  const id =
    name === 'secret'
      ? container?.secrets.find((r) => (r.file?.name || r.secretName) === argument)?.secretId
      : container?.configs.find((r) => (r.file?.name || r.configName) === argument)?.configId;
  const data = id === undefined ? undefined : context.data(id);
  if (data) return Buffer.from(data).toString('latin1');
  throw new TswarmError(
    'failed_precondition',
    `${field}: the template wants ${name} "${argument}", which the service has no file for`,
    { field, hint: `Give the service a ${name} with this target.` },
  );
}

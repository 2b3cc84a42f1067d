// JSON Schema of the Engine API's objects, from the same field tables that write and read their JSON. Fields that the Engine API or our views add beside the
// message's own are allowed: the schemas say what is there, not that nothing else is.
import type { FieldInfo, MessageType } from '#protocol/codec';
import { WhyResponse } from '#protocol/generated/control';
import {
  Config,
  Network,
  Node,
  Secret,
  Service,
  ServiceRevision,
  Task,
  Volume,
} from '#protocol/generated/objects';
import { ServiceSpec, StackSpec } from '#protocol/generated/specs';

export type Schema = Readonly<Record<string, unknown>>;

// biome-ignore lint/suspicious/noExplicitAny: a list of messages of every type
type AnyMessage = MessageType<any>;

/** Messages that operations name with `engine:`; what they hold comes along. */
const ROOTS: readonly AnyMessage[] = [
  Config,
  Network,
  Node,
  Secret,
  Service,
  ServiceRevision,
  ServiceSpec,
  StackSpec,
  Task,
  Volume,
  WhyResponse,
];

/** Answers that are made without a message. */
const OTHERS: Readonly<Record<string, Schema>> = {
  EngineNetworkCheck: { type: 'object', description: 'What was looked at, and what was found.' },
  EngineOpenApi: { type: 'object', properties: { openapi: { type: 'string' } } },
};

/** Our own bodies have names as well, and some are the same. */
const PREFIX = 'Engine';

/** Component name of a message. */
export function engineName(name: string): string {
  return `${PREFIX}${name}`;
}

/** Component name → schema. */
export function engineSchemas(): Readonly<Record<string, Schema>> {
  const out: Record<string, Schema> = { ...OTHERS };
  const add = (message: AnyMessage): void => {
    const name = engineName(message.name);
    if (Object.hasOwn(out, name)) return;
    const properties: Record<string, Schema> = {};
    // Before its fields: messages may hold themselves.
    out[name] = { type: 'object', properties };
    const fill = (fields: readonly FieldInfo[]): void => {
      for (const field of fields) {
        if (field.internal) continue;
        if (field.flatten && field.message) {
          fill(field.message().fields);
          continue;
        }
        if (field.message) add(field.message());
        properties[field.json] = fieldSchema(field);
      }
    };
    fill(message.fields);
  };
  for (const root of ROOTS) add(root);
  return out;
}

function fieldSchema(field: FieldInfo): Schema {
  const one = oneSchema(field);
  if (field.shape === 'repeated') return { type: 'array', items: one };
  if (field.shape === 'map') return { type: 'object', additionalProperties: one };
  return one;
}

function oneSchema({ message, text, time, kind }: FieldInfo): Schema {
  if (message) return { $ref: `#/components/schemas/${engineName(message().name)}` };
  if (text) return { type: 'string', enum: [...new Set(text.values())] };
  if (time) return { type: 'string', format: 'date-time' };
  if (kind === 'bytes') return { type: 'string', format: 'byte' };
  if (kind === 'string') return { type: 'string' };
  if (kind === 'bool') return { type: 'boolean' };
  return kind === 'double' || kind === 'float' ? { type: 'number' } : { type: 'integer' };
}

// The OpenAPI 3.1 document of /tswarm/v1, put together from the definitions of the calls and the schemas of the bodies. Made when it is first asked for.
import { BODY_SCHEMAS } from '../cluster/generated/schemas.ts';
import { OPERATIONS, type Operation, type Parameter } from '../cluster/operations.ts';
import { engineName, engineSchemas, type Schema } from './engine-schemas.ts';

let components: Readonly<Record<string, Schema>> | undefined;

/** All schemas by component name. */
export function componentSchemas(): Readonly<Record<string, Schema>> {
  components ??= { ...BODY_SCHEMAS, ...engineSchemas() };
  return components;
}

/** The schema that an operation names: `X`, `X[]`, `engine:X`, `engine:X[]`. */
export function namedSchema(text: string): Schema {
  const [, prefix, name = '', list] = /^(engine:)?(\w+)(\[\])?$/.exec(text) ?? [];
  const component = prefix ? engineName(name) : name;
  if (!Object.hasOwn(componentSchemas(), component)) throw new Error(`bug: no schema ${text}`);
  const ref = { $ref: `#/components/schemas/${component}` };
  return list ? { type: 'array', items: ref } : ref;
}

/** Parameters that every paged list has beside its own. */
export const PAGE_PARAMETERS: Readonly<Record<string, Parameter>> = {
  limit: {
    kind: 'count',
    help: 'at most so many, ordered by their ids (volumes of nodes: by node and name); 0 or none = all',
  },
  after: { kind: 'text', help: 'go on behind this id: X-Tswarm-Next of the page before' },
};

/** Query parameters of an operation. */
export function parametersOf(operation: Operation): Readonly<Record<string, Parameter>> {
  return { ...operation.query, ...(operation.pages ? PAGE_PARAMETERS : {}) };
}

/** The whole document. */
export function openApiDocument(version: string): Schema {
  const paths: Record<string, Record<string, Schema>> = {};
  for (const operation of OPERATIONS) {
    const { path, method } = operation;
    const item = paths[path] ?? {};
    item[method.toLowerCase()] = operationOf(operation);
    paths[path] = item;
  }
  return {
    openapi: '3.1.0',
    info: { title: 'tswarm cluster API', version, license: { name: 'Apache-2.0' } },
    paths,
    components: {
      schemas: componentSchemas(),
      securitySchemes: {
        token: { type: 'http', scheme: 'bearer', description: 'tswarm token create' },
        certificate: { type: 'mutualTLS', description: 'tswarm client-cert create' },
      },
    },
    security: [{ token: [] }, { certificate: [] }],
  };
}

function operationOf(operation: Operation): Schema {
  const { id, summary, role, isOpen, body, upload, isBodyOptional } = operation;
  const content = upload
    ? { [upload]: {} }
    : body
      ? { 'application/json': { schema: namedSchema(body) } }
      : undefined;
  return {
    operationId: id,
    summary,
    'x-tswarm-role': role,
    ...(isOpen ? { security: [] } : {}),
    parameters: [...pathParameters(operation), ...queryParameters(operation)],
    ...(content ? { requestBody: { required: !isBodyOptional, content } } : {}),
    responses: {
      [String(operation.answer.status)]: answerOf(operation),
      default: {
        description: 'What was wrong, and what would help',
        content: { 'application/problem+json': { schema: namedSchema('Problem') } },
      },
    },
  };
}

function answerOf({ answer, summary, pages }: Operation): Schema {
  const { type = 'application/json', schema, status } = answer;
  if (status === 204) return { description: 'Done' };
  const next = { description: 'there is more: the next `after`', schema: { type: 'string' } };
  return {
    description: summary,
    ...(pages ? { headers: { 'X-Tswarm-Next': next } } : {}),
    content: { [type]: schema ? { schema: namedSchema(schema) } : {} },
  };
}

function pathParameters({ path }: Operation): Schema[] {
  return [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
    name,
    in: 'path',
    required: true,
    schema: { type: 'string' },
  }));
}

const PARAMETER_SCHEMAS: Readonly<Record<Parameter['kind'], Schema>> = {
  flag: { type: 'boolean' },
  count: { type: 'integer', minimum: 0 },
  text: { type: 'string' },
  texts: { type: 'array', items: { type: 'string' } },
};

function queryParameters(operation: Operation): Schema[] {
  return Object.entries(parametersOf(operation)).map(([name, { kind, help }]) => ({
    name,
    in: 'query',
    description: help,
    schema: PARAMETER_SCHEMAS[kind],
    ...(kind === 'texts' ? { style: 'form', explode: true } : {}),
  }));
}

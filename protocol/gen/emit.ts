// Writes the TypeScript of one enum, message or service. Pure: text out of parsed definitions.
// Proto3 rules kept here: default values are not written, unknown fields are skipped, packed scalars are read both ways.
import type protobuf from 'protobufjs';

export type Definition =
  | { readonly kind: 'message'; readonly name: string; readonly type: protobuf.Type }
  | { readonly kind: 'enum'; readonly name: string; readonly enumType: protobuf.Enum }
  | { readonly kind: 'service'; readonly name: string; readonly service: protobuf.Service };

type Lookup = (typeName: string) => Definition;

const NUMBER_TYPES = new Set([
  'double',
  'float',
  'int32',
  'uint32',
  'sint32',
  'int64',
  'uint64',
  'sint64',
]);
const INT64_TYPES = new Set(['int64', 'uint64', 'sint64']);
/** Words that the Engine API writes in capitals. */
const ACRONYMS: Readonly<Record<string, string>> = { id: 'ID', ip: 'IP', tls: 'TLS' };

interface Field {
  readonly name: string;
  readonly json: string;
  readonly id: number;
  readonly type: string;
  readonly shape: 'one' | 'optional' | 'repeated' | 'map';
  readonly target: Definition | undefined;
  readonly option: (key: string) => boolean;
  readonly comment: string | null;
}

function camel(name: string): string {
  return name.replace(/_([a-z0-9])/g, (_, c: string) => c.toUpperCase());
}

function pascal(name: string): string {
  return name
    .split('_')
    .map((word) => ACRONYMS[word] ?? word.charAt(0).toUpperCase() + word.slice(1))
    .join('');
}

function screaming(name: string): string {
  return name.replace(/([a-z0-9])([A-Z])/g, '$1_$2').toUpperCase();
}

function fieldsOf(type: protobuf.Type, lookup: Lookup): Field[] {
  return type.fieldsArray.map((field) => {
    const options = field.options ?? {};
    const scalar = field.type === 'string' || field.type === 'bytes' || field.type === 'bool';
    const target = scalar || NUMBER_TYPES.has(field.type) ? undefined : lookup(field.type);
    const optional = options.proto3_optional === true;
    let shape: Field['shape'] = optional ? 'optional' : 'one';
    if (field.map) shape = 'map';
    else if (field.repeated) shape = 'repeated';
    else if (target?.kind === 'message') shape = 'optional';
    return {
      name: camel(field.name),
      json: typeof options.json_name === 'string' ? options.json_name : pascal(field.name),
      id: field.id,
      type: field.type,
      shape,
      target,
      option: (key) => options[`(${key})`] === true || options[key] === true,
      comment: field.comment,
    };
  });
}

function tsScalar(field: Field): string {
  if (field.target) return field.target.name;
  if (field.type === 'string') return 'string';
  if (field.type === 'bytes') return 'Uint8Array';
  if (field.type === 'bool') return 'boolean';
  return 'number';
}

function tsType(field: Field): string {
  const scalar = tsScalar(field);
  if (field.shape === 'repeated') return `readonly ${scalar}[]`;
  if (field.shape === 'map') return `Readonly<Record<string, ${scalar}>>`;
  return field.shape === 'optional' ? `${scalar} | undefined` : scalar;
}

function defaultOf(field: Field): string {
  if (field.shape === 'repeated') return '[]';
  if (field.shape === 'map') return '{}';
  if (field.shape === 'optional') return 'undefined';
  if (field.type === 'string') return "''";
  if (field.type === 'bytes') return 'NO_BYTES';
  if (field.type === 'bool') return 'false';
  return '0';
}

function comment(text: string | null, indent: string): string {
  if (!text) return '';
  return `${indent}/** ${text.replace(/\s+/g, ' ').replace(/\*\//g, '* /').trim()} */\n`;
}

/** Text of `enum`: a const object of numbers, the union of them, and both directions of the JSON text. */
export function emitEnum(name: string, enumType: protobuf.Enum): string {
  const prefix = `${screaming(name)}_`;
  const entries = Object.entries(enumType.values).map(([key, value]) => {
    const short = key.startsWith(prefix) ? key.slice(prefix.length) : key;
    const options = (
      enumType as unknown as { valuesOptions?: Record<string, Record<string, unknown>> }
    ).valuesOptions?.[key];
    const text = options?.['(text)'] ?? options?.text ?? short.toLowerCase().replace(/_/g, '-');
    return { short, value, text: String(text) };
  });
  const unset = entries.find((e) => e.short === 'NONE' && e.value === 0 && name.endsWith('State'));
  const texts = entries.map((e) => `[${e.value}, '${e === unset ? '' : e.text}']`).join(', ');
  return (
    `${comment(enumType.comment, '')}export const ${name} = {\n` +
    entries.map((e) => `  ${e.short}: ${e.value},\n`).join('') +
    `} as const;\nexport type ${name} = (typeof ${name})[keyof typeof ${name}];\n` +
    `export const ${name}Text: ReadonlyMap<number, string> = new Map([${texts}]);\n`
  );
}

function writeScalar(field: Field, value: string): string {
  if (field.target?.kind === 'message') {
    return `${field.target.name}.write(${value}, w.uint32(${tag(field, 2)}).fork()).ldelim();`;
  }
  const type = field.target ? 'int32' : field.type;
  return `w.uint32(${tag(field, wireType(type))}).${type}(${value});`;
}

function wireType(type: string): number {
  if (type === 'double') return 1;
  if (type === 'float') return 5;
  return type === 'string' || type === 'bytes' ? 2 : 0;
}

function tag(field: Field, wire: number): number {
  return field.id * 8 + wire;
}

function emitWrite(field: Field): string {
  const access = `m.${field.name}`;
  if (field.shape === 'repeated') {
    return `    for (const v of ${access}) ${writeScalar(field, 'v')}\n`;
  }
  if (field.shape === 'map') {
    const value =
      field.target?.kind === 'message'
        ? `${field.target.name}.write(v, w.uint32(18).fork()).ldelim();`
        : `w.uint32(${16 + wireType(field.target ? 'int32' : field.type)}).${field.target ? 'int32' : field.type}(v);`;
    return (
      `    for (const k in ${access}) {\n      const v = ${access}[k] as ${tsScalar(field)};\n` +
      `      w.uint32(${tag(field, 2)}).fork().uint32(10).string(k);\n` +
      `      ${value}\n      w.ldelim();\n    }\n`
    );
  }
  if (field.shape === 'optional') {
    return `    if (${access} !== undefined) ${writeScalar(field, access)}\n`;
  }
  if (field.type === 'bytes')
    return `    if (${access}.length > 0) ${writeScalar(field, access)}\n`;
  const test = field.type === 'bool' ? access : `${access} !== ${defaultOf(field)}`;
  return `    if (${test}) ${writeScalar(field, access)}\n`;
}

function readScalar(field: Field): string {
  if (field.target?.kind === 'message') return `${field.target.name}.read(r, r.uint32())`;
  if (field.target) return `r.int32() as ${field.target.name}`;
  if (INT64_TYPES.has(field.type)) return `readInt64(r.${field.type}())`;
  if (field.type === 'bytes') return 'sizeLimitedBytes(r.bytes())';
  return `r.${field.type}()`;
}

function emitRead(field: Field): string {
  if (field.shape === 'repeated') {
    const packable =
      field.type !== 'string' && field.type !== 'bytes' && field.target?.kind !== 'message';
    const push = `m.${field.name}.push(${readScalar(field)});`;
    if (!packable) return `        case ${field.id}:\n          ${push}\n          break;\n`;
    return (
      `        case ${field.id}:\n          if ((t & 7) === 2) {\n            const stop = r.uint32() + r.pos;\n` +
      `            while (r.pos < stop) ${push}\n          } else {\n            ${push}\n          }\n          break;\n`
    );
  }
  if (field.shape === 'map') {
    const init =
      field.target?.kind === 'message'
        ? `${field.target.name}.create()`
        : defaultOf({ ...field, shape: 'one' });
    return (
      `        case ${field.id}: {\n          const stop = r.uint32() + r.pos;\n          let k = '';\n` +
      `          let v: ${tsScalar(field)} = ${init};\n          while (r.pos < stop) {\n            const kt = r.uint32();\n` +
      `            if (kt >>> 3 === 1) k = r.string();\n            else if (kt >>> 3 === 2) v = ${readScalar(field)};\n` +
      `            else r.skipType(kt & 7);\n          }\n          m.${field.name}[k] = v;\n          break;\n        }\n`
    );
  }
  return `        case ${field.id}:\n          m.${field.name} = ${readScalar(field)};\n          break;\n`;
}

function mutableType(field: Field): string {
  const scalar = tsScalar(field);
  if (field.shape === 'repeated') return `${scalar}[]`;
  if (field.shape === 'map') return `Record<string, ${scalar}>`;
  return tsType(field);
}

function emitTable(field: Field): string {
  const kind = field.target ? field.target.kind : field.type;
  const parts = [
    `name: '${field.name}'`,
    `json: '${field.json}'`,
    `id: ${field.id}`,
    `kind: '${kind}'`,
    `shape: '${field.shape}'`,
  ];
  if (field.target?.kind === 'message') parts.push(`message: () => ${field.target.name}`);
  if (field.target?.kind === 'enum') parts.push(`text: ${field.target.name}Text`);
  for (const flag of ['time', 'always', 'internal', 'flatten']) {
    if (field.option(flag)) parts.push(`${flag}: true`);
  }
  return `    { ${parts.join(', ')} },\n`;
}

/** Field by field, because spreading two objects into one costs five times as much. */
function emitCreate(field: Field): string {
  const initial = defaultOf(field);
  return `${field.name}: p.${field.name}${initial === 'undefined' ? '' : ` ?? ${initial}`}`;
}

/** Text of a message: its interface and the `MessageType` that creates, writes and reads it. */
export function emitMessage(name: string, type: protobuf.Type, lookup: Lookup): string {
  const fields = fieldsOf(type, lookup);
  for (const field of fields) {
    if (field.target?.kind === 'enum') lookup(field.target.name);
  }
  const mutable = `{ ${fields.map((f) => `${f.name}: ${mutableType(f)}`).join('; ')} }`;
  const initial = `{ ${fields.map((f) => `${f.name}: ${defaultOf(f)}`).join(', ')} }`;
  return (
    `${comment(type.comment, '')}export interface ${name} {\n` +
    fields.map((f) => `${comment(f.comment, '  ')}  readonly ${f.name}: ${tsType(f)};\n`).join('') +
    `}\nexport const ${name}: MessageType<${name}> = {\n  name: '${name}',\n  fields: [\n` +
    `${fields.map(emitTable).join('')}  ],\n` +
    `  create: (${fields.length === 0 ? '' : `p: Partial<${name}> = {}`}): ${name} => ({ ${fields.map(emitCreate).join(', ')} }),\n` +
    `  write(m: ${name}, w: Writer): Writer {\n${fields.length === 0 ? '    void m;\n' : ''}${fields.map(emitWrite).join('')}    return w;\n  },\n` +
    `  read(r: Reader, length: number): ${name} {\n    const end = r.pos + length;\n` +
    `    const m: ${mutable} = ${initial};\n` +
    `    while (r.pos < end) {\n      const t = r.uint32();\n      switch (t >>> 3) {\n${fields.map(emitRead).join('')}` +
    `        default:\n          r.skipType(t & 7);\n      }\n    }\n    return m;\n  },\n` +
    `  encode: (m: ${name}): Uint8Array => ${name}.write(m, Writer.create()).finish(),\n` +
    `  decode: (bytes: Uint8Array): ${name} => ${name}.read(Reader.create(bytes), bytes.length),\n};\n`
  );
}

/** Text of a service: method names, paths and message types, from which transport/ makes gRPC servers and clients. */
export function emitService(name: string, service: protobuf.Service, lookup: Lookup): string {
  const methods = service.methodsArray.map((method) => {
    lookup(method.requestType);
    lookup(method.responseType);
    const key = method.name.charAt(0).toLowerCase() + method.name.slice(1);
    const types = { key, method };
    return types;
  });
  const shape = methods
    .map(
      ({ key, method }) =>
        `  readonly ${key}: { readonly request: ${method.requestType}; readonly response: ${method.responseType}; ` +
        `readonly requestStream: ${method.requestStream === true}; readonly responseStream: ${method.responseStream === true} };\n`,
    )
    .join('');
  const table = methods
    .map(
      ({ key, method }) =>
        `    ${key}: { path: '/tswarm.v1.${name}/${method.name}', request: ${method.requestType}, response: ${method.responseType}, ` +
        `requestStream: ${method.requestStream === true}, responseStream: ${method.responseStream === true} },\n`,
    )
    .join('');
  return (
    `${comment(service.comment, '')}export interface ${name}Methods {\n${shape}}\n` +
    `export const ${name}Service: ServiceDescriptor<${name}Methods> = {\n  name: 'tswarm.v1.${name}',\n  methods: {\n${table}  },\n};\n`
  );
}

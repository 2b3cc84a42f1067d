// Part of `npm run gen`. api/cluster/types.ts is the one definition of the bodies of /tswarm/v1 that are ours; this turns its interfaces and unions into JSON
// Schema (api/cluster/generated/schemas.ts), with which the server validates and which OpenAPI shows, and api/cluster/operations.ts into the types of the
// calls (api/cluster/generated/calls.ts), on which the typed client stands. It reads the small part of TypeScript that types.ts is written in, and refuses
// what it does not understand.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { OPERATIONS, type Operation, type ParameterKind } from '../cluster/operations.ts';

type Schema = Readonly<Record<string, unknown>>;

const HERE: string = dirname(fileURLToPath(import.meta.url));
const SOURCE: string = join(HERE, '../cluster/types.ts');
const OUT: string = join(HERE, '../cluster/generated');
const HEAD = (from: string): string =>
  `// Generated from ${from} by \`npm run gen\`. Do not edit.\n`;

/** Types that types.ts imports. */
const IMPORTED: Readonly<Record<string, Schema>> = {
  EngineJson: { type: 'object' },
  Role: { type: 'string', enum: ['viewer', 'operator', 'admin'] },
};

/** Type text → schema, by recursive descent over `A | B`, `readonly X[]`, literals, names, `{ … }` and `A & B`. */
class TypeReader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  whole(): Schema {
    const schema = this.#union();
    this.#skip();
    if (this.#at < this.#text.length) throw this.#unknown();
    return schema;
  }

  #union(): Schema {
    this.#take('|');
    const parts = [this.#intersection()];
    while (this.#take('|')) parts.push(this.#intersection());
    const [only] = parts;
    if (parts.length === 1 && only) return only;
    const literals = parts.map((part) => part.const);
    if (literals.every((value) => typeof value === 'string')) {
      return { type: 'string', enum: literals };
    }
    return { anyOf: parts.map((part) => (typeof part.const === 'string' ? literal(part) : part)) };
  }

  #intersection(): Schema {
    const parts = [this.#array()];
    while (this.#take('&')) parts.push(this.#array());
    const [only] = parts;
    return parts.length === 1 && only ? only : { allOf: parts };
  }

  #array(): Schema {
    this.#take('readonly');
    let schema = this.#primary();
    while (this.#take('[]')) schema = { type: 'array', items: schema };
    return schema;
  }

  #primary(): Schema {
    if (this.#take('(')) {
      const inside = this.#union();
      if (!this.#take(')')) throw this.#unknown();
      return inside;
    }
    if (this.#take('{')) return this.#object();
    const text = this.#match(/'([^']*)'/y);
    if (text) return { const: text[1] };
    const name = this.#match(/[A-Za-z]+/y)?.[0];
    if (name === 'string' || name === 'boolean' || name === 'null') return { type: name };
    if (name === 'number') return { type: 'number' };
    if (name !== undefined) return IMPORTED[name] ?? { $ref: `#/components/schemas/${name}` };
    throw this.#unknown();
  }

  #object(): Schema {
    const properties: Record<string, Schema> = {};
    const required: string[] = [];
    while (!this.#take('}')) {
      const description = this.#comment();
      const field = this.#match(/readonly (\w+)(\??):/y);
      if (!field) throw this.#unknown();
      const [, name = '', optional] = field;
      const schema = this.#union();
      properties[name] = description === '' ? schema : { ...schema, description };
      if (optional === '') required.push(name);
      this.#take(';');
    }
    return { type: 'object', properties, ...(required.length > 0 ? { required } : {}) };
  }

  #comment(): string {
    const text = this.#match(/\/\*\*(.*?)\*\//sy)?.[1] ?? '';
    return text.replace(/\s*\n\s*\*?\s*/g, ' ').trim();
  }

  #take(token: string): boolean {
    this.#skip();
    if (!this.#text.startsWith(token, this.#at)) return false;
    this.#at += token.length;
    return true;
  }

  #match(pattern: RegExp): RegExpExecArray | undefined {
    this.#skip();
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text) ?? undefined;
    if (found) this.#at += found[0].length;
    return found;
  }

  #skip(): void {
    while (/\s/.test(this.#text[this.#at] ?? '')) this.#at++;
  }

  #unknown(): Error {
    return new Error(`types.ts: not understood: ${this.#text.slice(this.#at, this.#at + 60)}`);
  }
}

function literal({ const: value }: Schema): Schema {
  return { type: 'string', enum: [value] };
}

const DECLARATION =
  /(?:\/\*\*((?:(?!\*\/).)*)\*\/\s*)?export (?:interface (\w+)(?: extends (\w+))? (\{.*?\n\})|type (\w+) =(.*?);\n(?=\n|$))/gs;

/** Name → schema of everything that types.ts exports. */
export function schemasOf(source: string): Readonly<Record<string, Schema>> {
  const out: Record<string, Schema> = {};
  for (const found of source.matchAll(DECLARATION)) {
    const [, doc = '', name, parent, body = '', alias = '', type = ''] = found;
    const description = doc.replace(/\s*\n\s*\*?\s*/g, ' ').trim();
    const own = new TypeReader(name ? body : type.trim()).whole();
    const schema = parent ? { allOf: [{ $ref: `#/components/schemas/${parent}` }, own] } : own;
    out[name ?? alias] = { ...schema, ...(description === '' ? {} : { description }) };
  }
  const exported = source.match(/^export /gm)?.length ?? 0;
  const count = Object.keys(out).length;
  if (count !== exported) throw new Error(`types.ts: ${count} of ${exported} exports understood`);
  return out;
}

const PARAMETER_TYPES: Readonly<Record<ParameterKind, string>> = {
  flag: 'boolean',
  count: 'number | string',
  text: 'string',
  texts: 'string | readonly string[]',
};

/** The types of the calls, by `METHOD path`. */
export function callsOf(operations: readonly Operation[]): string {
  const used = new Set<string>();
  const typeOf = (text: string): string => {
    if (text.startsWith('engine:')) return `EngineJson${text.endsWith('[]') ? '[]' : ''}`;
    used.add(text.replace('[]', ''));
    return text.endsWith('[]') ? `readonly ${text}` : text;
  };
  const rows = operations.map((operation) => {
    const { method, path, query = {}, body, answer } = operation;
    const names = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => `readonly ${name}: string`);
    const queries = Object.entries(query).map(
      ([name, { kind }]) => `readonly ${name}?: ${PARAMETER_TYPES[kind]} | undefined`,
    );
    const result = answer.schema ? typeOf(answer.schema) : answer.type ? 'never' : 'undefined';
    return `  '${method} ${path}': {\n    readonly params: { ${names.join('; ')} };\n    readonly query: { ${queries.join('; ')} };\n    readonly body: ${body ? typeOf(body) : 'undefined'};\n    readonly answer: ${result};\n  };\n`;
  });
  const imports = [...used].sort().join(', ');
  return `${HEAD('api/cluster/operations.ts')}import type { EngineJson } from '#protocol/engine';\nimport type { ${imports} } from '../types.ts';\n\n/** What each call of /tswarm/v1 is given and answers: of a stream of lines, each line; \`never\` for other streams and files. */\nexport interface ClusterCalls {\n${rows.join('')}}\n`;
}

function main(): void {
  mkdirSync(OUT, { recursive: true });
  const schemas = JSON.stringify(schemasOf(readFileSync(SOURCE, 'utf8')), null, 2);
  writeFileSync(
    join(OUT, 'schemas.ts'),
    `${HEAD('api/cluster/types.ts')}\n/** JSON Schema of each body, by name. */\nexport const BODY_SCHEMAS: Readonly<Record<string, Readonly<Record<string, unknown>>>> = ${schemas};\n`,
  );
  writeFileSync(join(OUT, 'calls.ts'), callsOf(OPERATIONS));
}

if (import.meta.main) main();

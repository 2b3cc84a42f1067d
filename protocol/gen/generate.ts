// Makes protocol/generated/*.ts from protocol/proto/*.proto: object types, binary codec, and the field tables from which
// Engine API JSON is written and read. The .proto files are the one definition of every object; nothing is converted by hand.
// Refuses what tswarm does not use (oneof, groups, extensions, nested types), so that the output stays simple.
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import protobuf from 'protobufjs';
import { type Definition, emitEnum, emitMessage, emitService } from './emit.ts';

const here = dirname(fileURLToPath(import.meta.url));
const protoDir = join(here, '../proto');
const outDir = join(here, '../generated');

const HEAD = (name: string): string =>
  `// Generated from protocol/proto/${name}.proto by \`npm run gen\`. Do not edit.\n`;

interface ParsedFile {
  readonly name: string;
  readonly imports: readonly string[];
  readonly definitions: readonly Definition[];
}

/** Parses one file; @throws Error that names the file and the construct that is not supported. */
function parseFile(name: string): ParsedFile {
  const source = readFileSync(join(protoDir, `${name}.proto`), 'utf8');
  const parsed = protobuf.parse(source, new protobuf.Root(), {
    keepCase: true,
    alternateCommentMode: true,
  });
  const namespace = parsed.root.lookup('tswarm.v1');
  if (!(namespace instanceof protobuf.Namespace))
    throw new Error(`${name}.proto: no package tswarm.v1`);
  const definitions: Definition[] = [];
  for (const item of namespace.nestedArray) {
    if (item instanceof protobuf.Type) {
      const oneofs = item.oneofsArray.filter((oneof) => !oneof.name.startsWith('_'));
      if (oneofs.length > 0) throw new Error(`${name}.proto: ${item.name}: oneof is not supported`);
      definitions.push({ kind: 'message', name: item.name, type: item });
    } else if (item instanceof protobuf.Enum) {
      definitions.push({ kind: 'enum', name: item.name, enumType: item });
    } else if (item instanceof protobuf.Service) {
      definitions.push({ kind: 'service', name: item.name, service: item });
    }
  }
  return { name, imports: parsed.imports ?? [], definitions };
}

function main(): void {
  const names = readdirSync(protoDir)
    .filter((file) => file.endsWith('.proto') && file !== 'options.proto')
    .map((file) => file.slice(0, -'.proto'.length))
    .sort();
  const files = names.map(parseFile);
  const home = new Map<string, { file: string; definition: Definition }>();
  for (const file of files) {
    for (const definition of file.definitions) {
      if (home.has(definition.name)) throw new Error(`${definition.name} is defined twice`);
      home.set(definition.name, { file: file.name, definition });
    }
  }
  rmSync(outDir, { recursive: true, force: true });
  mkdirSync(outDir, { recursive: true });
  for (const file of files) {
    const used = new Set<string>();
    const lookup = (typeName: string): Definition => {
      const found = home.get(typeName);
      if (!found) throw new Error(`${file.name}.proto: unknown type ${typeName}`);
      used.add(typeName);
      return found.definition;
    };
    const body = file.definitions
      .map((d) => {
        if (d.kind === 'enum') return emitEnum(d.name, d.enumType);
        if (d.kind === 'message') return emitMessage(d.name, d.type, lookup);
        return emitService(d.name, d.service, lookup);
      })
      .join('\n');
    const imports = new Map<string, string[]>();
    for (const typeName of [...used].sort()) {
      const from = home.get(typeName)?.file ?? '';
      if (from === file.name) continue;
      const names = [typeName];
      if (home.get(typeName)?.definition.kind === 'enum') names.push(`${typeName}Text`);
      imports.set(from, [...(imports.get(from) ?? []), ...names]);
    }
    const importLines = [...imports].map(
      ([from, types]) => `import { ${types.join(', ')} } from './${from}.ts';\n`,
    );
    const runtime =
      "import type { MessageType, ServiceDescriptor } from '../codec.ts';\n" +
      "import { NO_BYTES, Reader, Writer, readInt64, sizeLimitedBytes } from '../codec.ts';\n";
    writeFileSync(
      join(outDir, `${file.name}.ts`),
      `${HEAD(file.name)}\n${runtime}${importLines.join('')}\n${body}`,
    );
  }
}

main();

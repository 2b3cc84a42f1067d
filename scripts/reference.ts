// Part of `npm run gen`: docs/reference/*.md, the commands from the trees of flags that the command lines parse with, the calls of /tswarm/v1 from their
// definitions. A test compares the files with what this makes.
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { OPERATIONS, type Operation } from '#api/cluster/operations';
import { parametersOf } from '#api/openapi/document';
import { examplesText } from '#cli/help/examples';
import { EXAMPLES as TCOMPOSE_EXAMPLES } from '#cli/tcompose/examples';
import { program as tcompose } from '#cli/tcompose/program';
import { EXAMPLES as TSWARM_EXAMPLES } from '#cli/tswarm/examples';
import { program as tswarm } from '#cli/tswarm/main';

const ROOT: string = join(dirname(fileURLToPath(import.meta.url)), '..');

/** File name → text. */
export function referencePages(): ReadonlyMap<string, string> {
  return new Map([
    ['docs/reference/tswarm.md', commandPage(tswarm)],
    ['docs/reference/tcompose.md', commandPage(tcompose)],
    ['docs/reference/api.md', apiPage()],
  ]);
}

const MADE = 'Made from the code by `npm run gen`.';

function commandPage(program: Command): string {
  const parts = [`# ${program.name()}\n`, `${program.description()} ${MADE}\n`];
  parts.push(section(program, program.name(), true));
  for (const command of program.commands) parts.push(...sectionsOf(command, program.name()));
  return parts.join('\n');
}

function sectionsOf(command: Command, parent: string): string[] {
  if (isHidden(command)) return [];
  const path = `${parent} ${command.name()}`;
  const below = command.commands.flatMap((one) => sectionsOf(one, path));
  return [section(command, path, false), ...below];
}

/** Commander keeps it to itself. */
function isHidden(command: Command): boolean {
  return (command as unknown as { readonly _hidden?: boolean })._hidden === true;
}

function section(command: Command, path: string, isRoot: boolean): string {
  const aliases = command.aliases().map((alias) => `\`${alias}\``);
  const lines = isRoot ? [] : [`## ${path}\n`, `${command.description()}.\n`];
  lines.push(`    ${path} ${command.usage()}\n`);
  if (aliases.length > 0) lines.push(`Also ${aliases.join(', ')}.\n`);
  const options = command.options.filter((option) => !option.hidden);
  if (options.length > 0) {
    lines.push('| flag | |', '| --- | --- |');
    for (const { flags, description } of options) {
      lines.push(`| \`${cell(flags)}\` | ${cell(description)} |`);
    }
    lines.push('');
  }
  const examples = examplesOf(path);
  if (examples) lines.push(`${examplesText(examples).replace(/^(?=.)/gm, '    ')}\n`);
  return lines.join('\n');
}

/** Of a command by its whole path: "tswarm service create". */
function examplesOf(path: string): readonly string[] | undefined {
  const [program = '', ...words] = path.split(' ');
  return (program === 'tswarm' ? TSWARM_EXAMPLES : TCOMPOSE_EXAMPLES)[words.join(' ')];
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|');
}

function apiPage(): string {
  const head = `# Cluster API\n\nThe calls of \`/tswarm/v1\`. ${MADE} As OpenAPI 3.1: \`GET /tswarm/v1/openapi.json\`. Errors are \`application/problem+json\` with \`code\`, \`detail\`, \`field\` and \`hint\`.\n`;
  return [head, ...OPERATIONS.map(operationText)].join('\n');
}

function operationText(operation: Operation): string {
  const { method, path, summary, role, body, upload, answer, isOpen } = operation;
  const lines = [`## ${method} ${path}\n`, `${summary}.\n`];
  lines.push(`- role: ${isOpen ? 'none needed' : role}`);
  if (body)
    lines.push(
      `- body: ${body.replace('engine:', '')}${operation.isBodyOptional ? ' (optional)' : ''}`,
    );
  if (upload) lines.push(`- body: ${upload}`);
  const form = [answer.type, answer.schema?.replace('engine:', '')].filter(Boolean).join(' of ');
  lines.push(`- answer: ${answer.status}${form === '' ? '' : `, ${form}`}`);
  for (const [name, { kind, help }] of Object.entries(parametersOf(operation))) {
    lines.push(`- \`?${name}=\` (${kind}) ${help}`);
  }
  return `${lines.join('\n')}\n`;
}

function main(): void {
  mkdirSync(join(ROOT, 'docs/reference'), { recursive: true });
  for (const [name, text] of referencePages()) writeFileSync(join(ROOT, name), text);
}

if (import.meta.main) main();

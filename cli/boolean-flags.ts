// Go's command lines take a value for every yes-or-no flag (`--detach=false`, `--orphans=false`); commander does not. This rewrites such words into the
// plain flag, its `--no-` form, or nothing, before the command line is parsed. Refuses nothing: words that it does not know stay as they are. What follows
// the first operand of `exec` and `run` belongs to the program in the container and is never touched.
import type { Command, Option } from 'commander';

const YES: ReadonlySet<string> = new Set(['true', 'True', 'TRUE', 't', 'T', '1']);
const NO: ReadonlySet<string> = new Set(['false', 'False', 'FALSE', 'f', 'F', '0']);

/** How a flag is declared that has to know "off" from "not said". */
const OPTIONAL_BOOLEAN = '[bool]';

/** The words of a command line (without the program) with plain yes-or-no flags. */
export function plainBooleans(program: Command, words: readonly string[]): string[] {
  const result: string[] = [];
  let command = program;
  for (let at = 0; at < words.length; at += 1) {
    const word = words[at] ?? '';
    if (word === '--') return [...result, ...words.slice(at)];
    if (!word.startsWith('-') || word === '-') {
      result.push(word);
      const below = command.commands.find(
        (known) => known.name() === word || known.aliases().includes(word),
      );
      if (below) command = below;
      else if (runsProgram(command)) return [...result, ...words.slice(at + 1)];
      continue;
    }
    result.push(...plainFlag(command.options, word));
    if (!takesNext(command.options, word)) continue;
    at += 1;
    if (at < words.length) result.push(words[at] ?? '');
  }
  return result;
}

/** What comes after its first operand is a command line of its own. */
function runsProgram(command: Command): boolean {
  return command.registeredArguments.some((it) => it.variadic && it.name() === 'command');
}

function plainFlag(options: readonly Option[], word: string): readonly string[] {
  const said = options.find(({ long, short }) => long === word || short === word);
  // Commander would give it the next word.
  if (said?.flags.includes(OPTIONAL_BOOLEAN)) return [`${said.long ?? word}=true`];
  const [, name, text] = /^--([^=]+)(?:=(.*))?$/.exec(word) ?? [];
  if (name === undefined) return [word];
  const own = options.find((option) => option.long === `--${name}`);
  const opposite = options.find((option) => option.long === `--no-${name}` && option.negate);
  if (own === undefined && opposite === undefined) return [word];
  if (own !== undefined && (own.required || own.optional)) return [word];
  const value = text === undefined || YES.has(text) ? true : NO.has(text) ? false : undefined;
  if (value === undefined) return [word];
  // `--build` and `--no-build` are two flags of docker's, and neither takes the other back.
  if (own !== undefined) return value ? [`--${name}`] : [];
  return value ? [] : [`--no-${name}`];
}

/** The next word is this one's value. */
function takesNext(options: readonly Option[], word: string): boolean {
  if (word.startsWith('--')) return options.some((o) => o.long === word && o.required);
  for (let at = 1; at < word.length; at += 1) {
    const option = options.find(({ short }) => short === `-${word[at]}`);
    if (!option) return false;
    if (option.required || option.optional) return option.required && at === word.length - 1;
  }
  return false;
}

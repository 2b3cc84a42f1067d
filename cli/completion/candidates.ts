// What may come next on a command line, read from the tree of commands itself: so completion knows every command and flag that there is, and no other. Names that only the files or the cluster
// know (services, nodes) come in through a function. Pure; never fails: what it does not know it leaves to the shell.
import type { Command, Option } from 'commander';

/** One word that fits. */
export interface Candidate {
  readonly word: string;
  /** '' = none. */
  readonly description: string;
}

export interface Completion {
  readonly candidates: readonly Candidate[];
  /** The shell's own names of files fit, too. */
  readonly files: boolean;
}

/** What is being completed where only the files or the cluster know the words. */
export interface NameQuestion {
  /** Name of the argument in the tree, without dots: `service`, `node`. */
  readonly argument: string;
  /** Values of the flags before it, by attribute (`file`, `projectName`); a repeated flag has several. */
  readonly flags: ReadonlyMap<string, readonly string[]>;
}

export type NameSource = (question: NameQuestion) => Promise<readonly string[]>;

const NOTHING: Completion = { candidates: [], files: false };
const FILES: Completion = { candidates: [], files: true };

/** Placeholders of values that are names of files. */
const FILE_VALUE = /<(?:path|file|folder|dir)>/;

/**
 * Completes the last of `words` (which may be ''), the words after the program's name.
 */
export async function complete(
  program: Command,
  words: readonly string[],
  names: NameSource,
): Promise<Completion> {
  const last = words.at(-1) ?? '';
  const state = walk(program, words.slice(0, -1));
  if (state.awaited !== undefined) return ofValue(state.awaited, last, state.flags, names);
  if (!state.onlyArguments && last.startsWith('-')) {
    const [name = '', value] = splitOnce(last, '=');
    const option = value === undefined ? undefined : findOption(state.command, name);
    if (option === undefined) return { candidates: optionWords(state.command, last), files: false };
    const found = await ofValue(option, value ?? '', state.flags, names);
    const candidates = found.candidates.map((one) => ({ ...one, word: `${name}=${one.word}` }));
    return { ...found, candidates };
  }
  if (state.positionals === 0 && state.command.commands.length > 0)
    return { candidates: commandWords(state.command, last), files: false };
  return ofArgument(state, last, names);
}

interface State {
  readonly command: Command;
  /** Arguments of `command` so far. */
  readonly positionals: number;
  /** The flag whose value comes next. */
  readonly awaited: Option | undefined;
  readonly onlyArguments: boolean;
  readonly flags: Map<string, readonly string[]>;
}

/** Reads the words before the one that is completed. */
function walk(program: Command, words: readonly string[]): State {
  const flags = new Map<string, readonly string[]>();
  let command = program;
  let positionals = 0;
  let awaited: Option | undefined;
  let onlyArguments = false;
  const note = (option: Option, value: string): void => {
    const key = option.attributeName();
    flags.set(key, [...(flags.get(key) ?? []), value]);
  };
  for (const word of words) {
    if (awaited !== undefined) {
      note(awaited, word);
      awaited = undefined;
    } else if (onlyArguments) positionals += 1;
    else if (word === '--') onlyArguments = true;
    else if (word.startsWith('-') && word !== '-') {
      const [name = '', value] = splitOnce(word, '=');
      const option = findOption(command, name);
      if (option === undefined) continue;
      if (value !== undefined) note(option, value);
      else if (option.required) awaited = option;
    } else {
      const next = positionals === 0 ? findCommand(command, word) : undefined;
      if (next === undefined) {
        positionals += 1;
        onlyArguments = passesThrough(command) && positionals >= command.registeredArguments.length;
      } else command = next;
    }
  }
  return { command, positionals, awaited, onlyArguments, flags };
}

/** What follows the arguments of `exec` and `run` is another program's. */
function passesThrough(command: Command): boolean {
  return (command as unknown as { _passThroughOptions?: boolean })._passThroughOptions === true;
}

function splitOnce(text: string, by: string): readonly [string, string | undefined] {
  const at = text.indexOf(by);
  return at === -1 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
}

function findCommand(command: Command, word: string): Command | undefined {
  return command.commands.find((one) => one.name() === word || one.aliases().includes(word));
}

function findOption(command: Command, word: string): Option | undefined {
  return command.options.find((one) => one.long === word || one.short === word);
}

function commandWords(command: Command, prefix: string): readonly Candidate[] {
  return command
    .createHelp()
    .visibleCommands(command)
    .map((one) => ({ word: one.name(), description: one.description() }))
    .filter(({ word }) => word.startsWith(prefix));
}

function optionWords(command: Command, prefix: string): readonly Candidate[] {
  return command
    .createHelp()
    .visibleOptions(command)
    .map((one) => ({ word: one.long ?? one.short ?? '', description: one.description }))
    .filter(({ word }) => word.startsWith(prefix));
}

async function ofValue(
  option: Option,
  prefix: string,
  flags: NameQuestion['flags'],
  names: NameSource,
): Promise<Completion> {
  if (option.argChoices) return matching(option.argChoices, prefix);
  if (FILE_VALUE.test(option.flags)) return FILES;
  const placeholder = /<([a-z-]+)/.exec(option.flags)?.[1];
  if (placeholder === undefined) return NOTHING;
  return matching(await names({ argument: placeholder, flags }), prefix);
}

async function ofArgument(state: State, prefix: string, names: NameSource): Promise<Completion> {
  const all = state.command.registeredArguments;
  const argument = all[state.positionals] ?? (all.at(-1)?.variadic ? all.at(-1) : undefined);
  if (argument === undefined) return NOTHING;
  if (argument.argChoices) return matching(argument.argChoices, prefix);
  const name = argument.name().replace(/[^a-z-].*$/, '');
  if (name === 'file' || name === 'source' || name === 'destination' || name === 'path')
    return FILES;
  return matching(await names({ argument: name, flags: state.flags }), prefix);
}

function matching(words: readonly string[], prefix: string): Completion {
  const fitting = words.filter((word) => word.startsWith(prefix));
  return { candidates: fitting.map((word) => ({ word, description: '' })), files: false };
}

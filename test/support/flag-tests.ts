// Tests of command-line flags, each by its effect. `flagTest` names the command and the flags that a test is about; the test fails when it passes without
// having run that command with each of them. test/unit/cli/flags.test.ts finds the calls in the sources of the tests and fails when a flag of the tree of
// commands has none: so no flag is accepted that nothing looks at. What the test asserts is the author's to answer for.
import { expect, it } from 'vitest';
import { program as tcompose } from '#cli/tcompose/program';
import { program as tswarm } from '#cli/tswarm/main';
import { commandLines } from './command-lines.ts';

/** commander's Command and Option, as far as they are needed here. */
interface FlagOption {
  readonly long?: string | undefined;
  readonly short?: string | undefined;
  /** Takes a value. */
  readonly required?: boolean;
  /** May take a value. */
  readonly optional?: boolean;
}

interface FlagCommand {
  name(): string;
  aliases(): readonly string[];
  readonly options: readonly FlagOption[];
  readonly commands: readonly FlagCommand[];
}

const PROGRAMS: readonly FlagCommand[] = [tcompose, tswarm];

/**
 * A test of flags (`--long` names) of one command (`tcompose up`, `tswarm service ls`, or `tcompose` alone for the global ones). Both must be written
 * as literals: they are also read from the source.
 */
export function flagTest(
  command: string,
  flags: readonly string[],
  what: string,
  body: () => Promise<void>,
): void {
  it(`${command} ${flags.join(' ')}: ${what}`, async () => {
    const from = commandLines.length;
    await body();
    const lines = commandLines.slice(from);
    for (const flag of flags)
      expect(
        lines.some((line) => usesFlag(line, command, flag)),
        `the test of "${command} ${flag}" has not run it`,
      ).toBe(true);
  });
}

/** All flags of both command lines: `tcompose up --build`. Hidden ones count too. */
export function allFlags(): readonly string[] {
  return PROGRAMS.flatMap((program) => flagsBelow(program, program.name()));
}

function flagsBelow(command: FlagCommand, path: string): readonly string[] {
  return [
    ...command.options.map((option) => `${path} ${nameOf(option)}`),
    ...command.commands
      .filter((sub) => !isSecondName(path, sub))
      .flatMap((sub) => flagsBelow(sub, `${path} ${sub.name()}`)),
  ];
}

/** `tswarm logs` is `tswarm container logs`: the same flags and the same code. */
const SHORT_NAMES: ReadonlySet<string> = new Set(['ps', 'logs', 'exec']);

/** `tswarm swarm init` is `tswarm init` under docker's name. */
function isSecondName(path: string, sub: FlagCommand): boolean {
  return path === 'tswarm' && (sub.name() === 'swarm' || SHORT_NAMES.has(sub.name()));
}

/** Commands that have a second name, below `tswarm swarm` or without `container`, under which their flags are others. */
export function strayTwins(): readonly string[] {
  const below = (name: string): readonly FlagCommand[] =>
    tswarm.commands.find((command) => command.name() === name)?.commands ?? [];
  const shortNames = tswarm.commands.filter((command) => SHORT_NAMES.has(command.name()));
  const flagsOf = (command: FlagCommand | undefined): string =>
    (command?.options ?? []).map(nameOf).join(' ');
  const isStray = (twin: FlagCommand, of: readonly FlagCommand[]): boolean => {
    const first = of.find((one) => [one.name(), ...one.aliases()].includes(twin.name()));
    return !first || flagsOf(first) !== flagsOf(twin);
  };
  return [
    ...below('swarm').filter((twin) => isStray(twin, tswarm.commands)),
    ...shortNames.filter((twin) => isStray(twin, below('container'))),
  ].map((twin) => twin.name());
}

/** True when a command line (program first) runs the command with the flag. */
export function usesFlag(line: readonly string[], command: string, flag: string): boolean {
  const [first = '', ...rest] = line;
  let current = PROGRAMS.find((program) => program.name() === first);
  let path = first;
  let isUsed = false;
  for (let at = 0; current && at < rest.length; at += 1) {
    const word = rest[at] ?? '';
    const found = optionsIn(word, current.options);
    if (path === command) isUsed ||= found.options.some((option) => nameOf(option) === flag);
    if (found.takesNext) at += 1;
    const sub: FlagCommand | undefined = current.commands.find(
      (known) => known.name() === word || known.aliases().includes(word),
    );
    if (!sub) continue;
    current = sub;
    path += ` ${sub.name()}`;
  }
  return isUsed;
}

function nameOf(option: FlagOption): string {
  return option.long ?? option.short ?? '';
}

interface FoundOptions {
  readonly options: readonly FlagOption[];
  /** The next word is the value of the last one. */
  readonly takesNext: boolean;
}

/** The options of one word: `--long`, `--long=value`, `-s`, `-svalue` and `-abc`. */
function optionsIn(word: string, known: readonly FlagOption[]): FoundOptions {
  if (word.startsWith('--')) {
    const [name] = word.split('=');
    const options = known.filter((option) => option.long === name);
    return { options, takesNext: options.some((o) => o.required) && !word.includes('=') };
  }
  const options: FlagOption[] = [];
  if (!/^-[A-Za-z]/.test(word)) return { options, takesNext: false };
  for (let at = 1; at < word.length; at += 1) {
    const option = known.find(({ short }) => short === `-${word[at]}`);
    if (!option) break;
    options.push(option);
    if (option.required || option.optional)
      return { options, takesNext: option.required === true && at === word.length - 1 };
  }
  return { options, takesNext: false };
}

// Instructions with their arguments understood, variables not yet put in: what each keyword takes,
// which flags it knows, exec or shell form. An unknown keyword or flag is refused by name, as is
// what exists in Docker and not here yet.
import { nearestWord } from '#protocol/nearest-word';
import { type HereDoc, parseError, parseInstruction, type RawInstruction } from './dockerfile.ts';
import { type MountOptions, mountOptions } from './mount-options.ts';
import { type Flag, jsonForm, splitFlags, splitWords } from './words.ts';

/** `exec`: as given; `shell`: one text for the stage's shell. */
export type CommandForm =
  | { readonly form: 'exec'; readonly args: readonly string[] }
  | { readonly form: 'shell'; readonly text: string };

export interface Pair {
  readonly name: string;
  readonly value: string;
}

export interface CopyArguments {
  readonly sources: readonly string[];
  readonly destination: string;
  readonly from: string;
  readonly chown: string;
  readonly chmod: string;
  readonly isLink: boolean;
  readonly keepsParents: boolean;
  readonly excludes: readonly string[];
  /** ADD only; '' = not checked. */
  readonly checksum: string;
  /** Contents for sources that are here-documents, by `<<NAME`. */
  readonly hereDocs: readonly HereDoc[];
}

export interface HealthOptions {
  readonly interval: string;
  readonly timeout: string;
  readonly startPeriod: string;
  readonly startInterval: string;
  readonly retries: string;
}

export type Arguments =
  | {
      readonly kind: 'from';
      readonly base: string;
      readonly name: string;
      readonly platform: string;
    }
  | {
      readonly kind: 'arg';
      readonly args: readonly { readonly name: string; readonly value: string | undefined }[];
    }
  | { readonly kind: 'env' | 'label'; readonly pairs: readonly Pair[] }
  | ({ readonly kind: 'copy' | 'add' } & CopyArguments)
  | {
      readonly kind: 'run';
      readonly command: CommandForm;
      readonly hereDocs: readonly HereDoc[];
      readonly mounts: readonly MountOptions[];
      readonly network: string;
      /** With all rights; the build must be allowed it. */
      readonly isInsecure: boolean;
    }
  | { readonly kind: 'cmd' | 'entrypoint'; readonly command: CommandForm }
  | { readonly kind: 'shell'; readonly args: readonly string[] }
  | { readonly kind: 'expose' | 'volume'; readonly items: readonly string[] }
  | { readonly kind: 'workdir' | 'user' | 'stopsignal' | 'maintainer'; readonly text: string }
  | {
      readonly kind: 'healthcheck';
      /** Undefined: NONE. */
      readonly command: CommandForm | undefined;
      readonly options: HealthOptions;
    }
  | { readonly kind: 'onbuild'; readonly text: string };

export type Instruction = Arguments & {
  /** As shown in `Step n/m : …`. */
  readonly shown: string;
  readonly line: number;
};

interface Input {
  readonly raw: RawInstruction;
  readonly rest: string;
  readonly escapeChar: string;
  readonly flags: Flags;
}

type Reader = (input: Input) => Arguments;

const READERS: Readonly<Record<string, Reader>> = {
  ADD: (input) => ({
    kind: 'add',
    ...copy(input, ['chown', 'chmod', 'link', 'checksum', 'exclude']),
  }),
  ARG: (input) => ({ kind: 'arg', args: buildArgs(input) }),
  CMD: (input) => ({ kind: 'cmd', command: command(input.raw, input.rest) }),
  COPY: (input) => ({
    kind: 'copy',
    ...copy(input, ['from', 'chown', 'chmod', 'link', 'parents', 'exclude']),
  }),
  ENTRYPOINT: (input) => ({ kind: 'entrypoint', command: command(input.raw, input.rest) }),
  ENV: (input) => ({ kind: 'env', pairs: pairs(input) }),
  EXPOSE: (input) => ({
    kind: 'expose',
    items: atLeastOne(input, splitWords(input.rest, input.escapeChar)),
  }),
  FROM: from,
  HEALTHCHECK: healthcheck,
  LABEL: (input) => ({ kind: 'label', pairs: pairs(input) }),
  MAINTAINER: (input) => ({ kind: 'maintainer', text: one(input) }),
  ONBUILD: onbuild,
  RUN: run,
  SHELL: shell,
  STOPSIGNAL: (input) => ({ kind: 'stopsignal', text: one(input) }),
  USER: (input) => ({ kind: 'user', text: one(input) }),
  VOLUME: (input) => ({
    kind: 'volume',
    items: atLeastOne(input, listOf(input) ?? splitWords(input.rest, input.escapeChar)),
  }),
  WORKDIR: (input) => ({ kind: 'workdir', text: one(input) }),
};

/** @throws TswarmError `invalid_argument`, `not_supported` with the line */
export function readInstruction(raw: RawInstruction, escapeChar: string): Instruction {
  const read = READERS[raw.keyword];
  if (read === undefined) {
    const hint = `Known are ${Object.keys(READERS).join(', ')}.`;
    const near = nearestWord(raw.keyword, Object.keys(READERS));
    const message = `unknown instruction: ${raw.keyword}`;
    throw parseError(raw.line, message, near === undefined ? hint : `Did you mean ${near}?`);
  }
  const { flags, rest } = splitFlags(raw.rest, escapeChar);
  const held = new Flags(raw, flags);
  const input = { raw, escapeChar, flags: held, rest };
  if (raw.rest.trim() === '') {
    throw parseError(raw.line, `${raw.keyword} requires at least one argument`);
  }
  const args = read(input);
  held.checkAllRead();
  return { ...args, shown: raw.text, line: raw.line };
}

/** The flags of one instruction; each must be asked for by somebody. */
class Flags {
  readonly #raw: RawInstruction;
  readonly #flags: readonly Flag[];
  readonly #read = new Set<string>();

  constructor(raw: RawInstruction, flags: readonly Flag[]) {
    this.#raw = raw;
    this.#flags = flags;
  }

  text(name: string): string {
    const values = this.all(name);
    if (values.length > 1) throw parseError(this.#raw.line, `duplicate flag specified: --${name}`);
    return values[0] ?? '';
  }

  isSet(name: string): boolean {
    this.#read.add(name);
    const found = this.#flags.findLast((flag) => flag.name === name);
    if (found === undefined) return false;
    if (found.value === undefined || found.value === 'true') return true;
    if (found.value === 'false') return false;
    throw parseError(this.#raw.line, `expecting boolean value for flag --${name}`);
  }

  all(name: string): readonly string[] {
    this.#read.add(name);
    return this.#flags
      .filter((flag) => flag.name === name)
      .map(({ value }) => {
        if (value !== undefined) return value;
        throw parseError(this.#raw.line, `missing a value on flag: --${name}`);
      });
  }

  checkAllRead(): void {
    const unknown = this.#flags.find((flag) => !this.#read.has(flag.name));
    if (unknown === undefined) return;
    const known = [...this.#read].map((name) => `--${name}`);
    const near = nearestWord(unknown.name, [...this.#read]);
    const others = known.length > 0 ? `It takes ${known.join(', ')}.` : 'It takes no flags.';
    throw parseError(
      this.#raw.line,
      `unknown flag: --${unknown.name} (${this.#raw.keyword})`,
      near === undefined ? others : `Did you mean --${near}?`,
    );
  }
}

function from(input: Input): Arguments {
  const platform = input.flags.text('platform');
  const words = input.rest.trim().split(/\s+/);
  const [base = '', as = '', name = ''] = words;
  const isNamed = words.length === 3 && as.toUpperCase() === 'AS';
  if (words.length !== 1 && !isNamed) {
    throw parseError(input.raw.line, 'FROM requires either one or three arguments');
  }
  const stage = name.toLowerCase();
  if (isNamed && !/^[a-z][a-z0-9-_.]*$/.test(stage)) {
    throw parseError(
      input.raw.line,
      `invalid name for build stage: "${name}", name can't start with a number or contain symbols`,
    );
  }
  return { kind: 'from', base, name: stage, platform };
}

function buildArgs(input: Input): readonly { name: string; value: string | undefined }[] {
  return atLeastOne(input, splitWords(input.rest, input.escapeChar)).map((word) => {
    const equals = word.indexOf('=');
    const name = equals < 0 ? word : word.slice(0, equals);
    if (name === '') throw parseError(input.raw.line, `ARG names can not be blank`);
    return { name, value: equals < 0 ? undefined : word.slice(equals + 1) };
  });
}

function pairs(input: Input): readonly Pair[] {
  const { raw, rest, escapeChar } = input;
  const words = splitWords(rest, escapeChar);
  const [first = ''] = words;
  if (!first.includes('=')) {
    // The old form: name, blank, everything else.
    const value = rest.trimStart().slice(first.length).trim();
    if (value === '') throw parseError(raw.line, `${raw.keyword} must have two arguments`);
    return [{ name: first, value }];
  }
  return words.map((word) => {
    const equals = word.indexOf('=');
    if (equals < 0) {
      throw parseError(
        raw.line,
        `Syntax error - can't find = in "${word}". Must be of the form: name=value`,
      );
    }
    if (equals === 0) throw parseError(raw.line, `${raw.keyword} names can not be blank`);
    return { name: word.slice(0, equals), value: word.slice(equals + 1) };
  });
}

function copy(input: Input, known: readonly string[]): CopyArguments {
  const { raw, rest, escapeChar, flags } = input;
  const text = (name: string): string => (known.includes(name) ? flags.text(name) : '');
  const isSet = (name: string): boolean => known.includes(name) && flags.isSet(name);
  const words = listOf(input) ?? splitWords(rest, escapeChar);
  const destination = words.at(-1);
  if (words.length < 2 || destination === undefined) {
    throw parseError(
      raw.line,
      `${raw.keyword} requires at least two arguments, but only one was provided. Destination could not be determined`,
    );
  }
  return {
    sources: words.slice(0, -1),
    destination,
    from: text('from'),
    chown: text('chown'),
    chmod: text('chmod'),
    isLink: isSet('link'),
    keepsParents: isSet('parents'),
    excludes: known.includes('exclude') ? flags.all('exclude') : [],
    checksum: text('checksum'),
    hereDocs: raw.hereDocs,
  };
}

function run(input: Input): Arguments {
  const { flags, raw } = input;
  const security = flags.text('security');
  if (!['', 'sandbox', 'insecure'].includes(security)) {
    throw parseError(raw.line, `security "${security}" is not valid`);
  }
  const network = flags.text('network');
  if (!['', 'default', 'none', 'host'].includes(network)) {
    throw parseError(raw.line, `unsupported network mode "${network}"`);
  }
  const mounts = flags.all('mount').map((text) => mountOptions(text, raw));
  return {
    kind: 'run',
    command: command(input.raw, input.rest),
    hereDocs: raw.hereDocs,
    mounts,
    network,
    isInsecure: security === 'insecure',
  };
}

function healthcheck(input: Input): Arguments {
  const { flags, raw, rest } = input;
  const options = {
    interval: flags.text('interval'),
    timeout: flags.text('timeout'),
    startPeriod: flags.text('start-period'),
    startInterval: flags.text('start-interval'),
    retries: flags.text('retries'),
  };
  const [, type = '', tail = ''] = /^\s*(\S*)\s*([\s\S]*)$/.exec(rest) ?? [];
  if (type.toUpperCase() === 'NONE') {
    if (tail.trim() !== '') throw parseError(raw.line, 'HEALTHCHECK NONE takes no arguments');
    return { kind: 'healthcheck', command: undefined, options };
  }
  if (type.toUpperCase() !== 'CMD') {
    throw parseError(raw.line, `unknown type "${type}" in HEALTHCHECK (try CMD)`);
  }
  if (tail.trim() === '') throw parseError(raw.line, 'missing command after HEALTHCHECK CMD');
  return { kind: 'healthcheck', command: command(raw, tail), options };
}

function shell(input: Input): Arguments {
  const args = listOf(input);
  if (args === undefined) {
    throw parseError(input.raw.line, 'SHELL requires the arguments to be in JSON form');
  }
  return { kind: 'shell', args: atLeastOne(input, args) };
}

function onbuild(input: Input): Arguments {
  const { raw, escapeChar } = input;
  const [word = ''] = raw.rest.trim().split(/\s+/);
  const trigger = word.toUpperCase();
  if (trigger === 'ONBUILD') {
    throw parseError(raw.line, "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed");
  }
  if (trigger === 'FROM' || trigger === 'MAINTAINER') {
    throw parseError(raw.line, `${trigger} isn't allowed as an ONBUILD trigger`);
  }
  const docs = raw.hereDocs.map(hereDocText).join('');
  const text = docs === '' ? raw.rest.trim() : `${raw.rest.trim()}\n${docs}`;
  // What cannot be read now could not be read later.
  readInstruction({ ...parseInstruction(text), line: raw.line }, escapeChar);
  return { kind: 'onbuild', text };
}

/** A here-document as it stood in the file. */
export function hereDocText(doc: HereDoc): string {
  return `${doc.content}${doc.name}\n`;
}

/** The arguments as a JSON array; undefined when they are not written as one. */
function listOf({ raw, rest }: Pick<Input, 'raw' | 'rest'>): readonly string[] | undefined {
  const list = jsonForm(rest);
  if (list !== 'mixed') return list;
  throw parseError(
    raw.line,
    'when using JSON array syntax, arrays must be comprised of strings only',
    'Write numbers and the like in double quotes.',
  );
}

function command(raw: RawInstruction, text: string): CommandForm {
  const args = listOf({ raw, rest: text });
  return args === undefined ? { form: 'shell', text: text.trim() } : { form: 'exec', args };
}

function one(input: Input): string {
  const text = input.rest.trim();
  if (text !== '') return text;
  throw parseError(input.raw.line, `${input.raw.keyword} requires exactly one argument`);
}

function atLeastOne<T>(input: Input, items: readonly T[]): readonly T[] {
  if (items.length > 0) return items;
  throw parseError(input.raw.line, `${input.raw.keyword} requires at least one argument`);
}

// From instructions to stages, and which of them have to run: the target and what it stands on or
// copies from. FROM means a stage before it; COPY and mounts mean any stage, also a later one, as
// long as none waits for itself.
import { TswarmError } from '#protocol/errors';
import { STEPS_MAX } from './limits.ts';
import { parseDockerfile, parseInstruction } from './parse/dockerfile.ts';
import { expandWord, type Scope } from './parse/expand.ts';
import { type Instruction, readInstruction } from './parse/instructions.ts';

export interface Stage {
  readonly index: number;
  /** Lower case; '' = unnamed. */
  readonly name: string;
  /** Stage that it is built from; undefined = `base` is an image (or `scratch`). */
  readonly parent: number | undefined;
  /** Image reference with variables put in. */
  readonly base: string;
  readonly platform: string;
  readonly from: Instruction;
  readonly instructions: readonly Instruction[];
}

export interface BuildPlan {
  readonly escapeChar: string;
  /** ARGs before the first FROM, with the values of this build. */
  readonly globals: ReadonlyMap<string, string>;
  /** Those that must run; each after what it stands on or copies from. */
  readonly stages: readonly Stage[];
  readonly target: Stage;
}

export interface PlanOptions {
  readonly target: string;
  readonly buildArgs: Readonly<Record<string, string | null>>;
  /** TARGETPLATFORM and its like. */
  readonly platformArgs: ReadonlyMap<string, string>;
  /** ONBUILD instructions of an image, as far as they are known: those may copy from stages, too. */
  readonly triggersOf: (image: string) => readonly string[];
}

/** @throws TswarmError `invalid_argument` with the line */
export function planBuild(dockerfile: string, options: PlanOptions): BuildPlan {
  const { escapeChar, instructions: raw } = parseDockerfile(dockerfile);
  const instructions = raw.map((one) => readInstruction(one, escapeChar));
  if (instructions.length > STEPS_MAX) {
    throw new TswarmError('too_large', `a Dockerfile of more than ${STEPS_MAX} instructions`);
  }
  const globals = new Map(options.platformArgs);
  const stages: Stage[] = [];
  for (const instruction of instructions) {
    if (instruction.kind === 'from') {
      stages.push(stageOf(instruction, stages, globals, escapeChar));
      continue;
    }
    const stage = stages.at(-1);
    if (stage !== undefined) {
      stages[stages.length - 1] = {
        ...stage,
        instructions: [...stage.instructions, instruction],
      };
    } else if (instruction.kind === 'arg') {
      for (const { name, value } of instruction.args) {
        const given = options.buildArgs[name];
        if (given !== undefined && given !== null) globals.set(name, given);
        else if (value !== undefined) globals.set(name, expandWord(value, globals, escapeChar));
      }
    } else {
      throw new TswarmError(
        'invalid_argument',
        `dockerfile parse error on line ${instruction.line}: no build stage in current context`,
        { field: `Dockerfile:${instruction.line}`, hint: 'Begin with FROM.' },
      );
    }
  }
  const target = targetOf(stages, options.target);
  const needed = neededBy(target, stages, (stage) => triggers(stage, stages, options, escapeChar));
  return { escapeChar, globals, stages: needed, target };
}

/** The stage that a name or a number means, of several of one name the last; undefined when it is an image. */
export function findStage(stages: readonly Stage[], text: string): Stage | undefined {
  const name = text.toLowerCase();
  const byName = stages.findLast((stage) => stage.name === name && name !== '');
  if (byName !== undefined || !/^\d+$/.test(text)) return byName;
  return stages.find((stage) => stage.index === Number(text));
}

function stageOf(
  instruction: Extract<Instruction, { kind: 'from' }>,
  stages: readonly Stage[],
  globals: Scope,
  escapeChar: string,
): Stage {
  const base = expandWord(instruction.base, globals, escapeChar);
  if (base === '') {
    throw new TswarmError(
      'invalid_argument',
      `base name (${instruction.base}) should not be blank`,
      { field: `Dockerfile:${instruction.line}` },
    );
  }
  const name = base.toLowerCase();
  const parent = stages.findLast((stage) => stage.name === name && name !== '');
  return {
    index: stages.length,
    name: instruction.name,
    parent: parent?.index,
    base,
    platform: expandWord(instruction.platform, globals, escapeChar),
    from: instruction,
    instructions: [],
  };
}

function targetOf(stages: readonly Stage[], text: string): Stage {
  const last = stages.at(-1);
  if (last === undefined) {
    throw new TswarmError('invalid_argument', 'No image was generated. Is your Dockerfile empty?');
  }
  if (text === '') return last;
  const found = findStage(stages, text);
  if (found !== undefined) return found;
  throw new TswarmError('invalid_argument', `failed to reach build target ${text} in Dockerfile`, {
    field: 'target',
  });
}

/** In the file's order, unless a stage copies from a later one. */
function neededBy(
  target: Stage,
  stages: readonly Stage[],
  triggersOf: (stage: Stage) => readonly Instruction[],
): readonly Stage[] {
  const done: Stage[] = [];
  const open = new Set<Stage>();
  let isForward = false;
  const visit = (stage: Stage): void => {
    if (done.includes(stage)) return;
    if (open.has(stage)) throw circular(stage);
    open.add(stage);
    for (const source of sourcesOf(stage, stages, triggersOf(stage))) {
      isForward ||= source.index > stage.index;
      visit(source);
    }
    open.delete(stage);
    done.push(stage);
  };
  visit(target);
  return isForward ? done : done.toSorted((a, b) => a.index - b.index);
}

function circular(stage: Stage): TswarmError {
  const name = stage.name || String(stage.index);
  return new TswarmError('invalid_argument', `circular dependency detected on stage: ${name}`, {
    field: `Dockerfile:${stage.from.line}`,
    hint: 'It copies from itself, or from a stage that stands on it or copies from it.',
  });
}

/** Stages that one stands on or copies from. */
function sourcesOf(
  stage: Stage,
  stages: readonly Stage[],
  triggers: readonly Instruction[],
): readonly Stage[] {
  const parent = stage.parent === undefined ? undefined : stages[stage.parent];
  const copied = [...triggers, ...stage.instructions].flatMap(copiedFrom).flatMap((text) => {
    // Which one a variable means is not known before the stage runs.
    if (text.includes('$')) return stages.filter(({ index }) => index < stage.index);
    return findStage(stages, text) ?? [];
  });
  return [...new Set([...(parent ? [parent] : []), ...copied])];
}

function copiedFrom(instruction: Instruction): readonly string[] {
  if (instruction.kind === 'copy' && instruction.from !== '') return [instruction.from];
  if (instruction.kind !== 'run') return [];
  return instruction.mounts.flatMap(({ from }) => (from === undefined ? [] : [from]));
}

/** What the stage's base has it do first. */
function triggers(
  stage: Stage,
  stages: readonly Stage[],
  options: PlanOptions,
  escapeChar: string,
): readonly Instruction[] {
  const parent = stage.parent === undefined ? undefined : stages[stage.parent];
  const texts = parent
    ? parent.instructions.flatMap((one) => (one.kind === 'onbuild' ? [one.text] : []))
    : options.triggersOf(stage.base);
  return texts.map((text) => readInstruction(parseInstruction(text), escapeChar));
}

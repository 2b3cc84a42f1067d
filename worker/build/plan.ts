// From instructions to stages, and which of them have to run: the target and what it stands on or
// copies from. Stage names are known from their FROM on.
import { TswarmError } from '#protocol/errors';
import { STEPS_MAX } from './limits.ts';
import { parseDockerfile } from './parse/dockerfile.ts';
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
  /** Those that must run, in order. */
  readonly stages: readonly Stage[];
  readonly target: Stage;
}

export interface PlanOptions {
  readonly target: string;
  readonly buildArgs: Readonly<Record<string, string | null>>;
  /** TARGETPLATFORM and its like. */
  readonly platformArgs: ReadonlyMap<string, string>;
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
  const needed = neededBy(target, stages);
  return { escapeChar, globals, stages: stages.filter((_, i) => needed.has(i)), target };
}

/**
 * The stage that a name or a number means; undefined when it is an image. Only stages before
 * `before` count.
 */
export function findStage(
  stages: readonly Stage[],
  text: string,
  before: number,
): Stage | undefined {
  const name = text.toLowerCase();
  const byName = stages.find((stage) => stage.index < before && stage.name === name);
  if (byName !== undefined || !/^\d+$/.test(text)) return byName;
  return stages.find((stage) => stage.index < before && stage.index === Number(text));
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
  const found = findStage(stages, text, stages.length);
  if (found !== undefined) return found;
  throw new TswarmError('invalid_argument', `failed to reach build target ${text} in Dockerfile`, {
    field: 'target',
  });
}

function neededBy(target: Stage, stages: readonly Stage[]): ReadonlySet<number> {
  const needed = new Set<number>();
  const visit = (stage: Stage | undefined): void => {
    if (stage === undefined || needed.has(stage.index)) return;
    needed.add(stage.index);
    if (stage.parent !== undefined) visit(stages[stage.parent]);
    for (const text of copiedFrom(stage)) visit(findStage(stages, text, stage.index));
  };
  visit(target);
  return needed;
}

function copiedFrom(stage: Stage): readonly string[] {
  return stage.instructions.flatMap((instruction) => {
    if (instruction.kind === 'copy' && instruction.from !== '') return [instruction.from];
    if (instruction.kind !== 'run') return [];
    return instruction.mounts.flatMap(({ from }) => (from === undefined ? [] : [from]));
  });
}

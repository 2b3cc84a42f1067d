// RUN: which command the step runs, with which variables, and what its end means. The layer is what
// the command left in the root file system.
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { hasCode, messageOf, TswarmError } from '#protocol/errors';
import type { LayerRecord } from '../images/layer-store.ts';
import type { BuildRun, StageRun, StageState } from './build-run.ts';
import { commandLine, envScope, joinDir } from './config-change.ts';
import { makeLayer, type StepRootfs } from './layer-step.ts';
import { STEP_OUTPUT_BYTES_MAX } from './limits.ts';
import type { HereDoc } from './parse/dockerfile.ts';
import { hereDocText, type Instruction } from './parse/instructions.ts';
import { type MountInput, type StepExtras, type StepMount, withMounts } from './run-mounts.ts';

type RunInstruction = Extract<Instruction, { kind: 'run' }>;

/**
 * Where a script of its own (`RUN <<EOF` with `#!`) appears: on the step's /dev, so that it leaves
 * no trace.
 */
const SCRIPT_TARGET = '/dev/build-script';

/** BuildKit's name for what RUN --security=insecure needs. */
const INSECURE = 'security.insecure';

export interface RunCommand {
  readonly args: readonly string[];
  /** Content of the script at SCRIPT_TARGET; undefined = none. */
  readonly script: string | undefined;
}

/** Arguments that everybody may use without declaring them, and that decide nothing. */
const PROXY_ARGS: ReadonlySet<string> = new Set(
  ['HTTP_PROXY', 'HTTPS_PROXY', 'FTP_PROXY', 'NO_PROXY', 'ALL_PROXY'].flatMap((name) => [
    name,
    name.toLowerCase(),
  ]),
);

export function isProxyArg(name: string): boolean {
  return PROXY_ARGS.has(name);
}

export function runCommand(instruction: RunInstruction, state: StageState): RunCommand {
  const { command, hereDocs } = instruction;
  if (command.form === 'exec' || hereDocs.length === 0) {
    return { args: commandLine(command, state.config), script: undefined };
  }
  const [doc] = hereDocs;
  if (doc !== undefined && hereDocs.length === 1 && isOnlyHereDoc(command.text, doc)) {
    if (doc.content.startsWith('#!')) return { args: [SCRIPT_TARGET], script: doc.content };
    const text = { form: 'shell', text: doc.content } as const;
    return { args: commandLine(text, state.config), script: undefined };
  }
  const text = `${command.text}\n${hereDocs.map(hereDocText).join('')}`.trimEnd();
  return { args: commandLine({ form: 'shell', text }, state.config), script: undefined };
}

/** Declared arguments that the step sees: the environment wins over them. `name=value`, sorted. */
export function visibleArgs(state: StageState): readonly string[] {
  const env = envScope(state.config.env);
  const visible: string[] = [];
  for (const [name, value] of state.args) {
    if (value !== undefined && !env.has(name)) visible.push(`${name}=${value}`);
  }
  return visible.toSorted();
}

/** Also for what is in the cache. @throws permission_denied for a step with all rights that nobody has allowed */
export function checkAllowed(run: BuildRun, instruction: RunInstruction): void {
  if (!instruction.isInsecure || run.options.entitlements.includes(INSECURE)) return;
  const message = `RUN --security=insecure: ${INSECURE} is not allowed`;
  throw new TswarmError('permission_denied', message, {
    field: `Dockerfile:${instruction.line}`,
    hint: `Allow it: --allow ${INSECURE}, or entitlements: [${INSECURE}] in the compose file.`,
  });
}

/** Runs the command. @throws an error with the command's exit code, in Docker's words */
export async function runLayer(
  run: StageRun,
  state: StageState,
  instruction: RunInstruction,
  command: RunCommand,
  mounts: MountInput,
): Promise<LayerRecord> {
  return makeLayer(run, state, async (rootfs) => {
    run.say(` ---> Running in ${rootfs.id.slice(0, 12)}\n`);
    await withMounts(mounts, rootfs, (made) =>
      withScript(run, rootfs, command, (script) =>
        execute(run, state, instruction, command, rootfs, {
          mounts: [...made.mounts, ...script],
          env: made.env,
        }),
      ),
    );
    run.say(`Removing intermediate container ${rootfs.id.slice(0, 12)}\n`);
  });
}

async function execute(
  run: StageRun,
  state: StageState,
  instruction: RunInstruction,
  command: RunCommand,
  rootfs: StepRootfs,
  { mounts, env }: StepExtras,
): Promise<void> {
  const proxies = Object.entries(run.options.buildArgs).flatMap(([name, value]) =>
    isProxyArg(name) && value !== null ? [`${name}=${value}`] : [],
  );
  const output = new StepOutput((text) => {
    run.say(text);
    run.steps.wrote(text);
  });
  const { exitCode, oomKilled } = await started(command, () =>
    run.runner.run(
      {
        containerId: rootfs.id,
        args: command.args,
        env: [...proxies, ...visibleArgs(state), ...state.config.env, ...env],
        cwd: joinDir('/', state.config.workingDir),
        user: state.config.user,
        networkMode: networkOf(instruction.network, run.options.networkMode),
        extraHosts: run.options.extraHosts,
        shmBytes: run.options.shmBytes,
        mounts,
        ulimits: run.options.ulimits,
        limits: run.options.limits,
        privileged: instruction.isInsecure,
        imageId: state.imageId,
      },
      (stream, data) => output.push(stream, data),
      run.signal,
    ),
  );
  output.end();
  if (exitCode === 0) return;
  const shown = command.args.join(' ');
  const why = oomKilled ? ' (out of memory)' : '';
  throw new StepError(
    `The command '${shown}' returned a non-zero code: ${exitCode}${why}`,
    exitCode,
  );
}

/** A program that is not there or cannot be executed fails the step as a shell would say it. */
async function started<T>(command: RunCommand, use: () => Promise<T>): Promise<T> {
  try {
    return await use();
  } catch (error) {
    const isMissing = hasCode(error, 'command_not_found');
    if (!isMissing && !hasCode(error, 'command_not_executable')) throw error;
    const message = `The command '${command.args.join(' ')}' cannot be run: ${messageOf(error)}`;
    throw new StepError(message, isMissing ? 127 : 126);
  }
}

/** A command of the Dockerfile that failed. */
export class StepError extends TswarmError {
  readonly exitCode: number;

  constructor(message: string, exitCode: number) {
    super('failed_precondition', message);
    this.exitCode = exitCode;
  }
}

function networkOf(own: string, whole: string): string {
  return own === '' || own === 'default' ? whole : own;
}

async function withScript(
  run: StageRun,
  rootfs: StepRootfs,
  command: RunCommand,
  use: (mounts: readonly StepMount[]) => Promise<void>,
): Promise<void> {
  if (command.script === undefined) return use([]);
  const source = join(run.dataDir, 'views', `${rootfs.id}.script`);
  await writeFile(source, command.script, { mode: 0o755 });
  try {
    await use([{ type: 'bind', source, target: SCRIPT_TARGET, readonly: true }]);
  } finally {
    await rm(source, { force: true });
  }
}

function isOnlyHereDoc(text: string, doc: HereDoc): boolean {
  const bare = text.replaceAll(/["']/g, '');
  return bare === `<<${doc.name}` || bare === `<<-${doc.name}`;
}

/**
 * Output of a step as text, whole characters only; clipped when it becomes too much to be useful.
 */
class StepOutput {
  readonly #say: (text: string) => void;
  readonly #decoders = { stdout: new TextDecoder(), stderr: new TextDecoder() };
  #bytes = 0;
  #isClipped = false;

  constructor(say: (text: string) => void) {
    this.#say = say;
  }

  push(stream: 'stdout' | 'stderr', data: Uint8Array): void {
    if (this.#isClipped) return;
    this.#bytes += data.length;
    const text = this.#decoders[stream].decode(data, { stream: true });
    if (text !== '') this.#say(text);
    if (this.#bytes <= STEP_OUTPUT_BYTES_MAX) return;
    this.#isClipped = true;
    this.#say('\n[output clipped: the step wrote too much]\n');
  }

  end(): void {
    const rest = this.#decoders.stdout.decode() + this.#decoders.stderr.decode();
    if (rest !== '' && !this.#isClipped) this.#say(rest);
  }
}

// What a person sees of `tswarm image build`: on a terminal a row for each step (output/build-steps.ts); else the builder's text as it comes, in the order of the Dockerfile, or its lines as
// they are, or nothing but the id.
import { BUILD_STEP_LINE, type BuildStepEvent } from '#protocol/engine';
import type { Json } from '../../client/http.ts';
import { streamError } from '../../client/image-calls.ts';
import { StepRows } from '../../output/build-steps.ts';
import { ProgressDisplay } from '../../output/progress.ts';
import { textOf } from '../data/fields.ts';
import { printStream } from './image.ts';

export class BuildView {
  readonly isQuiet: boolean;
  readonly #mode: string;
  readonly #out: NodeJS.WriteStream;

  /** `isPiped`: standard output is for an archive. */
  constructor(
    { progress, quiet }: { readonly progress?: string; readonly quiet?: boolean },
    isPiped: boolean,
  ) {
    const asked = progress ?? process.env.BUILDKIT_PROGRESS ?? 'auto';
    this.isQuiet = quiet === true || asked === 'quiet';
    const auto = process.stderr.isTTY && process.stdout.isTTY ? 'tty' : 'plain';
    this.#mode = this.isQuiet ? 'quiet' : asked === 'auto' ? auto : asked;
    this.#out = isPiped ? process.stderr : process.stdout;
  }

  /** For the call: whether the builder is to tell of each step. */
  get wantsEvents(): 1 | undefined {
    return this.#mode === 'tty' || this.#mode === 'rawjson' ? 1 : undefined;
  }

  /** Something that is no error and should be known. */
  note(text: string): void {
    if (!this.isQuiet) process.stderr.write(`Note: ${text}\n`);
  }

  /** Shows the build to its end. @returns the image's id */
  async follow(lines: AsyncIterable<Json>): Promise<string> {
    let id = '';
    const hear = (aux: Json): void => {
      id = textOf(aux.ID) || id;
    };
    if (this.#mode === 'tty') await this.#rows(lines, hear);
    else if (this.#mode === 'rawjson') await this.#raw(lines, hear);
    else if (this.#mode === 'quiet') await this.#silent(lines, hear);
    else await printStream(lines, hear, this.#out);
    if (this.#mode === 'quiet') this.#out.write(`${id}\n`);
    return id;
  }

  async #silent(lines: AsyncIterable<Json>, hear: (aux: Json) => void): Promise<void> {
    for await (const line of lines) {
      const failure = streamError(line);
      if (failure) throw failure;
      if (isObject(line.aux)) hear(line.aux);
    }
  }

  async #raw(lines: AsyncIterable<Json>, hear: (aux: Json) => void): Promise<void> {
    for await (const line of lines) {
      this.#out.write(`${JSON.stringify(line)}\n`);
      const failure = streamError(line);
      if (failure) throw failure;
      if (isObject(line.aux)) hear(line.aux);
    }
  }

  async #rows(lines: AsyncIterable<Json>, hear: (aux: Json) => void): Promise<void> {
    const display = new ProgressDisplay('Building', 'tty');
    const steps = new StepRows(display);
    const last: string[] = [];
    try {
      for await (const line of lines) {
        const failure = streamError(line);
        if (failure) {
          steps.failed();
          throw failure;
        }
        if (line.id === BUILD_STEP_LINE) steps.take(line.aux as BuildStepEvent);
        else if (isObject(line.aux)) hear(line.aux);
        // The rest is in the rows.
        else if (/^(Successfully|\[Warning\])/.test(textOf(line.stream)))
          last.push(textOf(line.stream));
      }
    } finally {
      display.stop();
    }
    for (const text of last) this.#out.write(text);
  }
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null;
}

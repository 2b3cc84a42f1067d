// The steps of a build, from the events that the builder sends when it is asked to (BuildStepEvent): as rows of a display, or behind the row of one image among several. What a step
// writes is cut to one line there; of the one that failed the last lines are shown as they are.
import type { BuildStepEvent } from '#protocol/engine';
import type { ProgressDisplay } from './progress.ts';

/** Lines of a failed step that are shown, and characters that are kept for them. */
const FAILED_LINES = 40;
const KEPT_CHARACTERS = 65_536;

/** Of the width, for the instruction; the rest is for what the step writes. */
const NAME_SHARE = 0.6;

const SHOWN = {
  running: { look: 'working', word: 'Running' },
  cached: { look: 'done', word: 'Cached' },
  done: { look: 'done', word: 'Done' },
  failed: { look: 'error', word: 'Failed' },
  cancelled: { look: 'warning', word: 'Cancelled' },
} as const;

/** The steps of a build as rows of a display. */
export class StepRows {
  readonly #display: ProgressDisplay;
  readonly #steps = new Map<string, { readonly row: string; output: string }>();
  #failure = '';

  constructor(display: ProgressDisplay) {
    this.#display = display;
  }

  take(event: BuildStepEvent): void {
    const { state, output = '' } = event;
    const key = keyOf(event);
    const known = this.#steps.get(key) ?? { row: rowOf(event), output: '' };
    known.output = (known.output + output).slice(-KEPT_CHARACTERS);
    this.#steps.set(key, known);
    const { look, word } = SHOWN[state];
    const said = state === 'running' ? lastLine(known.output) : '';
    this.#display.update(known.row, look, word, said);
    // Of several that end together the first is the reason.
    if (state === 'failed' && this.#failure === '') this.#failure = known.output;
  }

  /** Says what the step that failed has written. */
  failed(): void {
    const said = lastLines(this.#failure);
    if (said !== '') this.#display.say(said);
  }
}

/** What a step wrote at last, as it is. */
function lastLines(output: string): string {
  return output.trimEnd().split('\n').slice(-FAILED_LINES).join('\n');
}

interface ListedStep {
  readonly name: string;
  output: string;
  /** Of its last line, as long as that is not whole. */
  rest: string;
}

/** The steps of one image among several: the row has the step that began last and how many others run; listed line by line, it is each step and what it writes. */
export class ImageSteps {
  readonly #display: ProgressDisplay;
  readonly #id: string;
  readonly #running = new Map<string, ListedStep>();
  #failure = '';

  /** `id`: the image's row. */
  constructor(display: ProgressDisplay, id: string) {
    this.#display = display;
    this.#id = id;
  }

  /** What the step that failed wrote at last. */
  get failure(): string {
    return this.#failure;
  }

  take(event: BuildStepEvent): void {
    const { state, output = '' } = event;
    const key = keyOf(event);
    const step = this.#running.get(key) ?? { name: nameOf(event), output: '', rest: '' };
    step.output = (step.output + output).slice(-KEPT_CHARACTERS);
    if (!this.#running.has(key)) {
      this.#running.set(key, step);
      this.#display.detail(this.#id, step.name);
    }
    this.#write(step, output);
    if (state === 'running') {
      if (output === '') this.#show();
      return;
    }
    if (step.rest !== '') this.#write(step, '\n');
    this.#running.delete(key);
    if (state === 'failed' && this.#failure === '') this.#failure = lastLines(step.output);
    if (state === 'cached')
      this.#display.detail(this.#id, `${step.name.replace(/\].*/s, ']')} Cached`);
    this.#show();
  }

  /** Whole lines; a piece of output may end anywhere. */
  #write(step: ListedStep, output: string): void {
    const lines = (step.rest + output).split('\n');
    step.rest = (lines.pop() ?? '').slice(-KEPT_CHARACTERS);
    const place = step.name.replace(/\].*/s, ']');
    for (const line of lines) this.#display.detail(this.#id, `${place} ${printable(line)}`);
  }

  #show(): void {
    const names = [...this.#running.values()].map(({ name }) => name);
    const last = names.at(-1);
    if (last === undefined || this.#display.isList) return;
    const others = names.length > 1 ? `(+${names.length - 1}) ` : '';
    this.#display.update(this.#id, 'working', 'Building', `${others}${last}`);
  }
}

function keyOf({ stage, step }: BuildStepEvent): string {
  return `${stage} ${step}`;
}

function nameOf({ stage, step, steps, text = '' }: BuildStepEvent): string {
  return `[${stage} ${step}/${steps}] ${printable(text)}`.trimEnd();
}

function rowOf(event: BuildStepEvent): string {
  const name = nameOf(event);
  const room = Math.max(24, Math.floor((process.stderr.columns ?? 100) * NAME_SHARE));
  return name.length > room ? `${name.slice(0, room - 1)}…` : name;
}

function lastLine(output: string): string {
  return printable(
    output
      .trimEnd()
      .split(/[\r\n]/)
      .at(-1) ?? '',
  );
}

/** On one line, whatever a step writes: what moves the cursor is taken out. */
function printable(text: string): string {
  return text.replace(/\p{Cc}\[[0-9;?]*[A-Za-z]/gu, '').replace(/\p{Cc}+/gu, ' ');
}

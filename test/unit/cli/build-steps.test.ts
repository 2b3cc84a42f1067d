// Goal: who watches a build sees which steps run, in which stage, and what they write, whatever bytes that is; stages side by side are kept apart. Method: events as the builder sends
// them, and what is written to the terminal.
import { afterEach, describe, expect, it, vi } from 'vitest';
import { ImageSteps, StepRows } from '#cli/output/build-steps';
import { ProgressDisplay } from '#cli/output/progress';
import type { BuildStepEvent } from '#protocol/engine';

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

function record(): string[] {
  const written: string[] = [];
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    written.push(String(text));
    return true;
  });
  return written;
}

const event = (
  stage: string,
  step: number,
  state: BuildStepEvent['state'],
  more: Pick<BuildStepEvent, 'text' | 'output'> = {},
): BuildStepEvent => ({ stage, step, steps: 3, state, ...more });

describe('the steps of one image among several', () => {
  it('are listed line by line, each with its place', () => {
    const written = record();
    const steps = new ImageSteps(new ProgressDisplay('Building', 'plain'), 'Image web');
    steps.take(event('a', 1, 'running', { text: 'RUN make' }));
    steps.take(event('b', 2, 'running', { text: 'COPY . /' }));
    steps.take(event('a', 1, 'running', { output: 'one\ntw' }));
    steps.take(event('b', 2, 'cached'));
    steps.take(event('a', 1, 'running', { output: 'o\nth\u001b[31mree' }));
    steps.take(event('a', 1, 'done'));
    expect(written).toEqual([
      ' Image web  [a 1/3] RUN make\n',
      ' Image web  [b 2/3] COPY . /\n',
      ' Image web  [a 1/3] one\n',
      ' Image web  [b 2/3] Cached\n',
      ' Image web  [a 1/3] two\n',
      ' Image web  [a 1/3] three\n',
    ]);
  });

  it('are the row’s words on a terminal: the one that began last, and how many others', () => {
    record();
    const display = new ProgressDisplay('Building', 'tty');
    const update = vi.spyOn(display, 'update');
    const steps = new ImageSteps(display, 'Image web');
    steps.take(event('a', 1, 'running', { text: 'RUN make' }));
    steps.take(event('b', 2, 'running', { text: 'COPY . /' }));
    steps.take(event('b', 2, 'done'));
    display.stop();
    expect(update.mock.calls.map(([, , , details]) => details)).toEqual([
      '[a 1/3] RUN make',
      '(+1) [b 2/3] COPY . /',
      '[a 1/3] RUN make',
    ]);
  });
});

describe('the steps of a build', () => {
  it('have a row each; what is written is cut to its last line and moves no cursor', () => {
    record();
    const display = new ProgressDisplay('Building', 'tty');
    const update = vi.spyOn(display, 'update');
    const steps = new StepRows(display);
    steps.take(event('a', 1, 'cached', { text: 'FROM x' }));
    steps.take(event('a', 2, 'running', { text: 'RUN <<EOF\nmake' }));
    steps.take(event('a', 2, 'running', { output: 'x\n10%\r\u001b[2J20%\u0007\n' }));
    steps.take(event('a', 2, 'done'));
    display.stop();
    expect(update.mock.calls).toEqual([
      ['[a 1/3] FROM x', 'done', 'Cached', ''],
      ['[a 2/3] RUN <<EOF make', 'working', 'Running', ''],
      ['[a 2/3] RUN <<EOF make', 'working', 'Running', '20% '],
      ['[a 2/3] RUN <<EOF make', 'done', 'Done', ''],
    ]);
  });

  it('say what the first that failed has written, as it is', () => {
    const written = record();
    const display = new ProgressDisplay('Building', 'tty');
    const steps = new StepRows(display);
    steps.take(event('a', 1, 'running', { text: 'RUN false', output: 'no\nway\n' }));
    steps.take(event('b', 1, 'running', { text: 'RUN sleep', output: 'quiet\n' }));
    steps.take(event('a', 1, 'failed'));
    steps.take(event('b', 1, 'cancelled'));
    steps.failed();
    display.stop();
    expect(written).toContain('no\nway\n');
    expect(written.join('')).not.toContain('quiet\n');
  });

  it('of many, those that run stay in sight', () => {
    vi.useFakeTimers();
    const written = record();
    Object.defineProperty(process.stderr, 'rows', { value: 6, configurable: true });
    const display = new ProgressDisplay('Building', 'tty');
    display.update('slow', 'working', 'Running');
    for (const name of ['b', 'c', 'd', 'e']) display.update(name, 'done', 'Done');
    written.length = 0;
    vi.advanceTimersByTime(100);
    const picture = written.join('');
    expect(['slow', 'b', 'c', 'd', 'e'].filter((id) => picture.includes(` ${id} `))).toEqual([
      'slow',
      'd',
      'e',
    ]);
    expect(picture).toContain('... 2 more');
    display.stop();
    Reflect.deleteProperty(process.stderr, 'rows');
  });
});

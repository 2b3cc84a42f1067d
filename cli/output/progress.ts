// Progress of long work, one resource a line, on stderr: redrawn in place on a terminal, one line per change otherwise. Resources keep the order in
// which they appeared. `stop` leaves the final picture and restores the cursor; it must be called in any case.
import { EXIT } from './fail.ts';
import { type Style, styleFor } from './style.ts';

export type ProgressState = 'working' | 'done' | 'warning' | 'error';
export type ProgressMode = 'auto' | 'tty' | 'plain' | 'quiet' | 'json';

interface Line {
  readonly id: string;
  state: ProgressState;
  text: string;
  details: string;
  readonly startedMs: number;
  endedMs: number | undefined;
}

const SPINNER = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];
const REFRESH_MS = 100;
/** What the daemon does only as long as somebody waits for it; other work goes on without us. */
const ENDS_WITH_US: ReadonlySet<string> = new Set(['Building', 'Pulling', 'Pushing']);
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Cuts in the middle: kind and number of a container both tell something. */
function shorten(id: string, width: number): string {
  if (id.length <= width) return id;
  const tail = Math.floor((width - 1) / 2);
  return `${id.slice(0, width - 1 - tail)}…${id.slice(id.length - tail)}`;
}

/** So many, in their order: what is being worked on, then what came last. */
function lastOf(lines: readonly Line[], count: number): readonly Line[] {
  if (lines.length <= count) return lines;
  const working = lines.filter((line) => line.state === 'working').slice(-count);
  const others = lines.filter((line) => line.state !== 'working');
  const chosen = new Set([...working, ...others.slice(others.length - (count - working.length))]);
  return lines.filter((line) => chosen.has(line));
}

export class ProgressDisplay {
  readonly #mode: 'tty' | 'plain' | 'quiet' | 'json';
  readonly #style: Style;
  readonly #title: string;
  readonly #lines = new Map<string, Line>();
  #timer: NodeJS.Timeout | undefined;
  #drawnRows = 0;
  #frame = 0;
  /** Where nobody else looks after a signal, the cursor would stay hidden. */
  readonly #signalled = (signal: NodeJS.Signals): void => {
    if (ENDS_WITH_US.has(this.#title)) this.#interrupt();
    this.stop();
    if (signal === 'SIGINT') process.exit(EXIT.interrupted);
    process.kill(process.pid, signal);
  };
  readonly #exiting = (): void => {
    this.stop();
  };

  constructor(title: string, mode: ProgressMode) {
    this.#title = title;
    this.#mode = mode === 'auto' ? (process.stderr.isTTY ? 'tty' : 'plain') : mode;
    this.#style = styleFor(process.stderr, process.env);
  }

  /** Says where a resource stands. The same words again change nothing. */
  update(id: string, state: ProgressState, text: string, details = ''): void {
    const before = this.#lines.get(id);
    if (before && before.state === state && before.text === text && before.details === details)
      return;
    const now = performance.now();
    const line: Line = before ?? { id, state, text, details, startedMs: now, endedMs: undefined };
    line.state = state;
    line.text = text;
    line.details = details;
    line.endedMs = state === 'working' ? undefined : now;
    this.#lines.set(id, line);
    this.#show(line);
  }

  /** Whether every change is a line of its own. */
  get isList(): boolean {
    return this.#mode === 'plain' || this.#mode === 'json';
  }

  /** What is worth a line of its own where every change has one, and only there. */
  detail(id: string, text: string): void {
    if (this.#mode === 'plain') process.stderr.write(` ${id}  ${text}\n`);
    else if (this.#mode === 'json')
      process.stderr.write(`${JSON.stringify({ id, status: 'Working', text, tail: true })}\n`);
  }

  /** A line above the picture (or between the lines). */
  say(text: string): void {
    if (this.#mode === 'quiet') return;
    this.#erase();
    process.stderr.write(`${text}\n`);
    if (this.#mode === 'tty') this.#draw();
  }

  stop(): void {
    // The final picture is drawn once, however often this is called.
    if (this.#timer === undefined) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
    process.off('exit', this.#exiting);
    for (const signal of SIGNALS) process.off(signal, this.#signalled);
    this.#draw(true);
    this.#drawnRows = 0;
    process.stderr.write('\u001b[?25h');
  }

  #show(line: Line): void {
    if (this.#mode === 'json') {
      const status = { working: 'Working', done: 'Done', warning: 'Warning', error: 'Error' }[
        line.state
      ];
      process.stderr.write(
        `${JSON.stringify({ id: line.id, status, text: line.text, details: line.details })}\n`,
      );
    } else if (this.#mode === 'plain') {
      process.stderr.write(
        ` ${line.id}  ${line.text}${line.details === '' ? '' : ` ${line.details}`}\n`,
      );
    } else if (this.#mode === 'tty' && !this.#timer) {
      process.stderr.write('\u001b[?25l');
      process.on('exit', this.#exiting);
      for (const signal of SIGNALS)
        if (process.listenerCount(signal) === 0) process.on(signal, this.#signalled);
      this.#timer = setInterval(() => {
        this.#frame += 1;
        this.#draw();
      }, REFRESH_MS);
      this.#timer.unref();
      this.#draw();
    }
  }

  #interrupt(): void {
    for (const line of this.#lines.values()) {
      if (line.state !== 'working') continue;
      line.state = 'warning';
      line.text = 'Interrupted';
      line.details = '';
      line.endedMs = performance.now();
    }
  }

  #erase(): void {
    if (this.#drawnRows > 0) process.stderr.write(`\r\u001b[${this.#drawnRows}A\u001b[0J`);
    this.#drawnRows = 0;
  }

  #draw(final = false): void {
    const all = [...this.#lines.values()];
    const done = all.filter((line) => line.state !== 'working').length;
    const room = final ? all.length : Math.max(1, (process.stderr.rows ?? 24) - 3);
    const shown = lastOf(all, room);
    // Rows must not wrap: the next picture could not go back over them.
    const words = Math.max(...shown.map((line) => line.text.length));
    const roomForId = Math.max(8, (process.stderr.columns ?? 100) - words - 14);
    const width = Math.min(roomForId, Math.max(...shown.map((line) => line.id.length)));
    const rows = [
      `[+] ${this.#title} ${done}/${all.length}`,
      ...shown.map((line) => this.#row(line, width)),
    ];
    if (shown.length < all.length) rows.push(`    ... ${all.length - shown.length} more`);
    // Row over row, in one piece: clearing first would flicker, and fill the scroll-back of some terminals.
    // The terminal may have written "^C" at the cursor.
    const back = this.#drawnRows > 0 ? `\r\u001b[${this.#drawnRows}A` : '';
    process.stderr.write(`${back}${rows.map((row) => `${row}\u001b[K\n`).join('')}\u001b[0J`);
    this.#drawnRows = rows.length;
  }

  #row(line: Line, width: number): string {
    const { green, yellow, red, blue, dim } = this.#style;
    const mark = {
      working: blue(SPINNER[this.#frame % SPINNER.length] ?? ''),
      done: green('✔'),
      warning: yellow('!'),
      error: red('✘'),
    }[line.state];
    const paint = { working: (t: string) => t, done: green, warning: yellow, error: red }[
      line.state
    ];
    const seconds = (((line.endedMs ?? performance.now()) - line.startedMs) / 1000).toFixed(1);
    const columns = process.stderr.columns ?? 100;
    const plain = ` x ${'-'.repeat(width)}  ${line.text} ${line.details}`;
    const room = Math.max(0, columns - seconds.length - 2);
    const details =
      plain.length > room
        ? line.details.slice(0, Math.max(0, line.details.length - (plain.length - room)))
        : line.details;
    const left = ` ${mark} ${shorten(line.id, width).padEnd(width)}  ${paint(line.text)} ${details}`;
    const gap = Math.max(1, columns - 1 - seconds.length - 1 - Math.min(plain.length, room));
    return `${left}${' '.repeat(gap)}${dim(`${seconds}s`)}`;
  }
}

// A program on a terminal of its own, as a person uses it: keys go in, the screen's bytes come out, the window can change its size. Made with util-linux's
// `script`, which holds the terminal's other end; the size is set from outside on the terminal device, and the kernel tells the program.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { readFileSync, readlinkSync } from 'node:fs';
import { commandLines } from './command-lines.ts';
import { until } from './test-node.ts';

export interface TerminalOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly columns?: number;
  readonly rows?: number;
}

export class Terminal {
  readonly #script: ChildProcess;
  /** Exit code of the program. */
  readonly exited: Promise<number>;
  /** Everything that was printed so far. */
  output = '';

  constructor(words: readonly string[], options: TerminalOptions = {}) {
    const { columns = 80, rows = 24 } = options;
    const command = words.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(' ');
    const line = `stty cols ${columns} rows ${rows}; exec ${command}`;
    this.#script = spawn('script', ['-qefc', line, '/dev/null'], {
      cwd: options.cwd ?? '/',
      env: { PATH: process.env.PATH ?? '', HOME: '/root', TERM: 'xterm', ...options.env },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    this.#script.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.output += text;
    });
    this.exited = new Promise((resolve) => {
      this.#script.once('close', (code) => resolve(code ?? 128));
    });
    const program = /dist\/cli\/(tswarm|tcompose)\/main\.js$/;
    const at = words.findIndex((word) => program.test(word));
    const name = program.exec(words[at] ?? '')?.[1];
    if (name !== undefined) commandLines.push([name, ...words.slice(at + 1)]);
  }

  type(text: string): void {
    this.#script.stdin?.write(text);
  }

  /** Waits until the output holds the text (or matches). */
  async shows(what: string | RegExp, timeoutMs = 15_000): Promise<void> {
    const found = (): boolean =>
      typeof what === 'string' ? this.output.includes(what) : what.test(this.output);
    await until(found, timeoutMs, () => `no ${what} on the terminal:\n${this.output}`);
  }

  resize(columns: number, rows: number): void {
    const size = ['cols', String(columns), 'rows', String(rows)];
    spawnSync('stty', ['-F', readlinkSync(`/proc/${this.pid}/fd/0`), ...size]);
  }

  /** Clients begin to look after the window's size some time after their first output: changes it until the program has seen it. */
  async resizeUntilSeen(columns: number, rows: number, text: string): Promise<void> {
    for (let attempt = 0; attempt < 10 && !this.output.includes(text); attempt += 1) {
      this.resize(columns - 1, rows);
      this.resize(columns, rows);
      await this.shows(text, 1000).catch(() => undefined);
    }
    await this.shows(text);
  }

  /** Of the program. */
  get pid(): number {
    const pid = this.#script.pid ?? 0;
    return Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ')[0]);
  }

  /** Sends the program a signal; its terminal stays. */
  signal(name: NodeJS.Signals): void {
    process.kill(this.pid, name);
  }

  close(): void {
    this.#script.kill('SIGKILL');
  }
}

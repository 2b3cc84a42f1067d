// What a block prints: result lines and, above a level, notes of the core. At level NONE results
// are silent too, which keeps set-up short; errors are printed always.

const LEVELS = ['DEBUG', 'INFO', 'WARN', 'ERROR', 'FATAL', 'NONE'];
const QUIET = LEVELS.length - 1;

export class ScriptOutput {
  #lines: string[] = [];
  #indent = '';
  #level = 0;

  get level(): number {
    return this.#level;
  }

  set level(level: number) {
    this.#level = level;
  }

  /** Sets the lowest level that is printed, by name. False for an unknown one. */
  setLevelByName(name: string): boolean {
    const level = LEVELS.indexOf(name.toUpperCase());
    if (level < 0) return false;
    this.#level = level;
    return true;
  }

  /** Adds the lines of `text`, unless everything is silenced. */
  print(text: string): void {
    if (this.#level === QUIET) return;
    for (const line of text.split('\n')) this.#lines.push(this.#indent + line);
  }

  note(level: 'debug' | 'info' | 'warn', text: string): void {
    const name = level.toUpperCase();
    if (LEVELS.indexOf(name) < this.#level) return;
    this.#lines.push(`${this.#indent}${name} ${text}`);
  }

  error(text: string): void {
    this.#lines.push(this.#indent + text);
  }

  indented(action: () => void): void {
    const before = this.#indent;
    this.#indent = `${before}  `;
    action();
    this.#indent = before;
  }

  /** What was printed since the last call; `ok` for nothing. */
  take(): string {
    const text = this.#lines.join('\n');
    this.#lines = [];
    return text === '' ? 'ok' : text;
  }
}

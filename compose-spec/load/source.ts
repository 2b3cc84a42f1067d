// A file's text and places in it. Positions are kept as offsets, because nearly none of them is
// ever printed; line and column are computed when an error needs them.

/** One YAML or dotenv text with its name. */
export class SourceFile {
  readonly path: string;
  readonly text: string;
  #lineStarts: number[] | undefined;

  constructor(path: string, text: string) {
    this.path = path;
    this.text = text;
  }

  /** 1-based line and column of `offset`, and the text of that line. */
  lineAt(offset: number): { line: number; column: number; text: string } {
    this.#lineStarts ??= findLineStarts(this.text);
    const starts = this.#lineStarts;
    let low = 0;
    let high = starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((starts[middle] ?? 0) <= offset) low = middle;
      else high = middle - 1;
    }
    const start = starts[low] ?? 0;
    const end = starts[low + 1] ?? this.text.length + 1;
    const text = this.text.slice(start, end - 1).replace(/\r$/, '');
    return { line: low + 1, column: offset - start + 1, text };
  }
}

/** A place in a file; `offset` counts UTF-16 units from the start. */
export interface Position {
  readonly file: SourceFile;
  readonly offset: number;
}

function findLineStarts(text: string): number[] {
  const starts = [0];
  for (let i = text.indexOf('\n'); i !== -1; i = text.indexOf('\n', i + 1)) starts.push(i + 1);
  return starts;
}

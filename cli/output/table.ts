// Tables that align: columns as wide as their widest cell, three spaces between, nothing trailing (as docker prints them).
export type Row = readonly string[];

/** Text of a table, with a line end after each row. */
export function formatTable(header: Row, rows: readonly Row[]): string {
  const all = [header, ...rows];
  const widths = header.map((_, column) =>
    Math.max(...all.map((row) => widthOf(row[column] ?? ''))),
  );
  return all
    .map((row) => {
      const cells = row.map((cell, column) =>
        column === row.length - 1
          ? cell
          : cell + ' '.repeat((widths[column] ?? 0) - widthOf(cell) + 3),
      );
      return `${cells.join('').trimEnd()}\n`;
    })
    .join('');
}

/** Columns that a text takes on a terminal, less escape sequences. */
export function widthOf(text: string): number {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences begin with one
  return [...text.replace(/\u001b\[[0-9;]*m/g, '')].length;
}

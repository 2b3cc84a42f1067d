// Compares results at the level of state, log, committed entries and messages: log lines are left
// out, and messages within a section count as a set per sender and receiver (raft.md §4, level 2).

const LOG_LINE = /^\s*(DEBUG|INFO|WARN|ERROR|FATAL) /;
const MESSAGE_LINE = /^(\s*)(?:dropped: )?(\w+->\w+) Msg/;

/** A form of `text` in which irrelevant differences are gone. */
export function canonical(text: string): string {
  const lines = text.split('\n').filter((line) => !LOG_LINE.test(line) && line.trim() !== '');
  const result = sortMessages(lines).join('\n');
  return result === '' ? 'ok' : result;
}

/** Sorts each run of messages by sender and receiver, keeping the order within a pair. */
function sortMessages(lines: readonly string[]): string[] {
  const result: string[] = [];
  let i = 0;
  while (i < lines.length) {
    const start = MESSAGE_LINE.exec(lines[i] as string);
    if (start === null) {
      result.push(lines[i++] as string);
      continue;
    }
    const indent = (start[1] as string).length;
    const items: { pair: string; lines: string[] }[] = [];
    while (i < lines.length) {
      const line = lines[i] as string;
      const match = MESSAGE_LINE.exec(line);
      const depth = line.length - line.trimStart().length;
      const last = items[items.length - 1];
      if (match !== null && depth === indent)
        items.push({ pair: match[2] as string, lines: [line] });
      else if (
        last !== undefined &&
        (depth > indent || (depth === indent && line.trim() === ']'))
      ) {
        last.lines.push(line);
      } else break;
      i++;
    }
    items.sort((a, b) => (a.pair < b.pair ? -1 : a.pair > b.pair ? 1 : 0));
    for (const item of items) result.push(...item.lines);
  }
  return result;
}

// Numbers of a benchmark: medians, and one table that puts ours beside the peer's.

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? upper)) / 2;
}

/** The value below or at which the given part of all lies (nearest rank). */
export function share(values: readonly number[], part: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(part * sorted.length) - 1)] ?? Number.NaN;
}

export interface Figure {
  readonly what: string;
  readonly unit: string;
  /** name → samples; ours first. */
  readonly samples: Readonly<Record<string, readonly number[]>>;
}

/** A Markdown table of medians; the last column is the second side's median divided by ours. */
export function figureTable(figures: readonly Figure[]): string {
  const names = Object.keys(figures[0]?.samples ?? {});
  const rows = figures.map(({ what, unit, samples }) => {
    const medians = names.map((name) => median(samples[name] ?? []));
    const [ours = Number.NaN, peer = Number.NaN] = medians;
    const runs = (samples[names[0] ?? ''] ?? []).length;
    return `| ${what} (${unit}, ${runs} runs) | ${medians.map((m) => m.toFixed(m < 100 ? 1 : 0)).join(' | ')} | ${(peer / ours).toFixed(1)} × |`;
  });
  return [
    `| median | ${names.join(' | ')} | ratio |`,
    `| --- |${' --- |'.repeat(names.length + 1)}`,
    ...rows,
    '',
  ].join('\n');
}

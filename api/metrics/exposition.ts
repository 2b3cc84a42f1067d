// The text format of Prometheus (exposition format 0.0.4): families with help, type and samples. Refuses nothing; what is not a number becomes NaN, as the
// format has it.

export type MetricType = 'counter' | 'gauge' | 'histogram';
export type Labels = Readonly<Record<string, string>>;

export interface Sample {
  /** Behind the family's name: `_bucket`, `_sum`, `_count`; absent = the name itself. */
  readonly suffix?: string;
  readonly labels?: Labels;
  readonly value: number;
}

export interface Family {
  readonly name: string;
  readonly type: MetricType;
  readonly help: string;
  readonly samples: readonly Sample[];
}

export const EXPOSITION_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

/** A family of one sample without labels. */
export function single(type: MetricType, name: string, help: string, value: number): Family {
  return { name, type, help, samples: [{ value }] };
}

/** A family with one label. */
export function byLabel(
  family: Omit<Family, 'samples'>,
  label: string,
  values: Iterable<readonly [string, number]>,
): Family {
  const samples = [...values].map(([key, value]) => ({ labels: { [label]: key }, value }));
  return { ...family, samples };
}

/** The text of all families. */
export function expositionOf(families: readonly Family[]): string {
  return families.map(textOf).join('');
}

function textOf({ name, type, help, samples }: Family): string {
  const lines = samples.map(({ suffix = '', labels = {}, value }) => {
    const inside = Object.entries(labels).map(([key, text]) => `${key}="${escaped(text)}"`);
    const braces = inside.length === 0 ? '' : `{${inside.join(',')}}`;
    return `${name}${suffix}${braces} ${numberText(value)}\n`;
  });
  return `# HELP ${name} ${help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')}\n# TYPE ${name} ${type}\n${lines.join('')}`;
}

function escaped(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}

function numberText(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return '+Inf';
  return value === Number.NEGATIVE_INFINITY ? '-Inf' : String(value);
}

// What a client reads of a JSON answer, as short texts: `Spec.Mode` is a path, `[]` stands for every element of a list, `{}` for every value of a map, and behind
// a colon is the type that the client decodes: s text, n number, b boolean, l list, o object. With ? it may be absent or null. A list or a map that must not be
// empty (because the test has made what is in it) ends with `+`.
type Fields = Readonly<Record<string, unknown>>;

const TYPES: Readonly<Record<string, (value: unknown) => boolean>> = {
  s: (value) => typeof value === 'string',
  n: (value) => typeof value === 'number',
  b: (value) => typeof value === 'boolean',
  l: Array.isArray,
  o: (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
};

/** What of the answer is not as the client reads it, one sentence each; none: it is. */
export function faultsOf(answer: unknown, reads: readonly string[]): readonly string[] {
  return reads.flatMap((read) => {
    const [, path = '', type = '', more = ''] = /^(.*):(\w)([?+]*)$/.exec(read) ?? [];
    const steps = path.split(/\.|(?=\[\]|\{\})/).filter((step) => step !== '');
    return faultsAt(answer, steps, { type, more, read });
  });
}

interface Wanted {
  readonly type: string;
  readonly more: string;
  readonly read: string;
}

function faultsAt(value: unknown, steps: readonly string[], wanted: Wanted): readonly string[] {
  const isOptional = wanted.more.includes('?');
  if (value === undefined || value === null) {
    return isOptional ? [] : [`${wanted.read}: there is none`];
  }
  const [step, ...rest] = steps;
  if (step === undefined) return endFaults(value, wanted);
  if (step === '[]' || step === '{}') {
    const each = step === '[]' ? (value as readonly unknown[]) : Object.values(value as Fields);
    if (step === '[]' && !Array.isArray(value)) return [`${wanted.read}: is no list`];
    if (each.length === 0 && !isOptional) return [`${wanted.read}: nothing is in it`];
    return [...new Set(each.flatMap((one) => faultsAt(one, rest, wanted)))];
  }
  return faultsAt((value as Fields)[step], rest, wanted);
}

function endFaults(value: unknown, { type, more, read }: Wanted): readonly string[] {
  if (TYPES[type]?.(value) !== true) return [`${read}: is ${JSON.stringify(value)?.slice(0, 80)}`];
  const isEmpty = typeof value === 'object' && Object.keys(value as Fields).length === 0;
  return more.includes('+') && isEmpty ? [`${read}: is empty`] : [];
}

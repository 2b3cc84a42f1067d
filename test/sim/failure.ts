// What a failed check throws: which rule was broken, and the values that show it.

/** A broken rule. */
export class SimFailure extends Error {
  /** Names the rule; constant for each check. */
  readonly rule: string;
  readonly values: Readonly<Record<string, unknown>>;

  constructor(rule: string, values: Readonly<Record<string, unknown>>) {
    super(`${rule}: ${JSON.stringify(values)}`);
    this.name = 'SimFailure';
    this.rule = rule;
    this.values = values;
  }
}

/** @throws SimFailure unless `condition` holds */
export function check(
  condition: boolean,
  rule: string,
  values: () => Readonly<Record<string, unknown>>,
): asserts condition {
  if (!condition) throw new SimFailure(rule, values());
}

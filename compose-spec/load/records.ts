// Plain objects whose keys come from users: a service may be called `constructor`. Reading goes
// through `ownValue`, building through entries, so that nothing of Object.prototype gets in.

/** The value that `record` itself has at `key`. */
export function ownValue<T>(
  record: Readonly<Record<string, T>> | undefined,
  key: string,
): T | undefined {
  return record !== undefined && Object.hasOwn(record, key) ? record[key] : undefined;
}

/** `change` applied to each value. */
export function mapValues<T, U>(
  values: Readonly<Record<string, T>>,
  change: (value: T, key: string) => U,
): Record<string, U> {
  return Object.fromEntries(
    Object.entries(values).map(([key, value]) => [key, change(value, key)]),
  );
}

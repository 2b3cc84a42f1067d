// Numbers beyond 2^53 in JSON output (timeNano), written digit for digit.

interface RawJson {
  rawJSON(text: string): unknown;
}

/** The number of such a value; beyond 2^53 the last digits are rounded. */
export function rawValue(value: unknown): number {
  return Number((value as { readonly rawJSON?: string } | undefined)?.rawJSON ?? value);
}

/** A value that JSON.stringify writes as exactly these digits. */
export function rawNumber(value: bigint): unknown {
  return (JSON as unknown as RawJson).rawJSON(value.toString());
}

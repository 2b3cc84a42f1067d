// Numbers beyond 2^53 in JSON output (timeNano), written digit for digit.

interface RawJson {
  rawJSON(text: string): unknown;
}

/** A value that JSON.stringify writes as exactly these digits. */
export function rawNumber(value: bigint): unknown {
  return (JSON as unknown as RawJson).rawJSON(value.toString());
}

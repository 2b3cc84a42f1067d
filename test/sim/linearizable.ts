// Whether a history of register operations can be explained by one order that respects real time.
// Search with memory after Wing, Gong 1993 and Lowe 2017 (as in porcupine): take any operation that
// began before all others have ended, apply it, go on; remember which sets of operations with which
// value led nowhere. Keys are independent of each other and searched one by one.
// Operations without an answer may take effect at any later time or never; those that nobody can have
// noticed are left out: nobody was told their value, and no conditional write was told that it had not
// found what it expected, which their value in its place would explain. For that alone such a one is
// tried right before the conditional write: it could as well have happened any time before.

/** One operation of a client. */
export interface Operation {
  readonly key: number;
  readonly kind: 'read' | 'write' | 'swap';
  /** What is written. */
  readonly value: number;
  /** swap: only if the register holds this. */
  readonly expected: number;
  readonly calledUs: number;
  /** Infinity while there is no answer. */
  endedUs: number;
  /** refused: it certainly has no effect. */
  outcome: 'ok' | 'unknown' | 'refused';
  /** read: what was read; swap: 1 when it took effect. */
  result: number;
  /** Log index of the write, or that a read was served at: where the search looks first. It never
   * makes an order valid that is not. Infinity when not known. */
  hint: number;
}

/** A history that is in order is explained in as many steps as it has operations, thanks to the
 * hints; one that takes this many is taken for one that nothing explains. */
const SEARCH_STEPS_MAX = 100_000;

/** An operation order that nothing explains, or null. */
export function findViolation(history: readonly Operation[]): readonly Operation[] | null {
  const keys = new Set(history.map(({ key }) => key));
  for (const key of keys) {
    const own = relevant(history.filter((operation) => operation.key === key));
    if (!isLinearizable(own)) return own;
  }
  return null;
}

function relevant(history: readonly Operation[]): Operation[] {
  const seen = new Set<number>();
  let isMissed = false;
  for (const { kind, outcome, result, expected } of history) {
    if (outcome === 'ok' && kind === 'read') seen.add(result);
    if (kind === 'swap' && outcome !== 'refused') seen.add(expected);
    if (kind === 'swap' && outcome === 'ok' && result === 0) isMissed = true;
  }
  return history.filter(({ kind, outcome, value }) => {
    if (outcome === 'refused') return false;
    return outcome === 'ok' || (kind !== 'read' && (isMissed || seen.has(value)));
  });
}

/** Register value after `operation` on `value`; null when it cannot have happened there. */
function apply(operation: Operation, value: number): number | null {
  const { kind, outcome, result, expected } = operation;
  if (kind === 'write') return operation.value;
  if (kind === 'read') return result === value ? value : null;
  const takesEffect = expected === value;
  if (outcome === 'ok' && takesEffect !== (result === 1)) return null;
  return takesEffect ? operation.value : value;
}

/** Whether `history`, all of one register that begins as 0, is linearizable. */
export function isLinearizable(history: readonly Operation[]): boolean {
  return isExplainedByHints(history) || isExplainedBySearch(history);
}

/**
 * Whether the order of the hints explains it: nearly always, and with many operations without an answer the search would find it late or never. What has no hint
 * never happened; one with an answer then needs the search.
 */
function isExplainedByHints(history: readonly Operation[]): boolean {
  const order = history
    .filter(({ hint, outcome }) => outcome === 'ok' || hint !== Number.POSITIVE_INFINITY)
    .sort((a, b) => byHint(a, b) || a.calledUs - b.calledUs);
  const explained: Operation[] = [];
  let value = 0;
  let lastChange = 0;
  for (const operation of order) {
    if (operation.hint === Number.POSITIVE_INFINITY) return false;
    const next = apply(operation, value);
    if (next === null) {
      // A swap that missed may have been decided right before what is there now was written.
      if (operation.kind !== 'swap' || operation.result === 1) return false;
      explained.splice(lastChange, 0, operation);
      lastChange++;
      continue;
    }
    if (next !== value) lastChange = explained.length;
    value = next;
    explained.push(operation);
  }
  return isInOrder(explained);
}

/** Whether each can happen where it stands, and none that ended before another one began comes after it. */
function isInOrder(order: readonly Operation[]): boolean {
  let value = 0;
  for (const operation of order) {
    const next = apply(operation, value);
    if (next === null) return false;
    value = next;
  }
  let endUs = Number.POSITIVE_INFINITY;
  for (const { calledUs, endedUs } of [...order].reverse()) {
    // One that comes later in the order had ended before.
    if (endUs < calledUs) return false;
    endUs = Math.min(endUs, endedUs);
  }
  return true;
}

function isExplainedBySearch(history: readonly Operation[]): boolean {
  const operations = [...history].sort((a, b) => a.calledUs - b.calledUs);
  const count = operations.length;
  const places = new Map(operations.map((operation, i) => [operation, i]));
  const useful = usefulValues(operations);
  const isTaken = new Uint8Array(count);
  const visited = new Set<string>();
  let steps = 0;
  // Only operations from `low` to the end of the concurrent window are ever of interest.
  const search = (low: number, value: number, open: number): boolean => {
    let first = low;
    while (first < count && isTaken[first] === 1) first++;
    if (open === 0) return true;
    steps++;
    if (steps > SEARCH_STEPS_MAX) return false;
    let limitUs = Number.POSITIVE_INFINITY;
    for (let i = first; i < count; i++) {
      const { calledUs, endedUs } = operations[i] as Operation;
      if (calledUs > limitUs) break;
      if (isTaken[i] === 0 && endedUs < limitUs) limitUs = endedUs;
    }
    const key = stateKey(isTaken, first, value);
    if (visited.has(key)) return false;
    visited.add(key);
    const candidates: Operation[] = [];
    for (let i = first; i < count; i++) {
      const operation = operations[i] as Operation;
      if (operation.calledUs > limitUs) break;
      if (isTaken[i] === 0) candidates.push(operation);
    }
    for (const operation of inOrderToTry(candidates, value, useful)) {
      const i = places.get(operation) as number;
      const next = apply(operation, value);
      if (next === null) continue;
      isTaken[i] = 1;
      const isRequired = operation.outcome === 'ok';
      if (search(first, next, open - (isRequired ? 1 : 0))) return true;
      isTaken[i] = 0;
    }
    return false;
  };
  return search(0, 0, operations.filter(({ outcome }) => outcome === 'ok').length);
}

/** Values that some operation must have found, or may have. */
function usefulValues(operations: readonly Operation[]): ReadonlySet<number> {
  const values = new Set<number>();
  for (const { kind, outcome, result, expected } of operations) {
    if (kind === 'read') values.add(result);
    const isMissed = outcome === 'ok' && result === 0;
    if (kind === 'swap' && !isMissed) values.add(expected);
  }
  return values;
}

/** By their hints; before one that `value` does not suit come those without an answer that would make way for it. */
function inOrderToTry(
  candidates: readonly Operation[],
  value: number,
  useful: ReadonlySet<number>,
): Iterable<Operation> {
  const sorted = [...candidates].sort(byHint);
  const open = sorted.filter(({ outcome }) => outcome !== 'ok');
  const order = new Set<Operation>();
  for (const operation of sorted) {
    if (operation.outcome === 'ok' && apply(operation, value) === null) {
      addWays(order, operation, value, open);
    }
    // Without an effect it may as well never happen.
    const isNoise =
      operation.outcome !== 'ok' && (!useful.has(operation.value) || !changes(operation, value));
    if (!isNoise) order.add(operation);
  }
  return order;
}

/** What leads from `value` to one that `next` suits: the first steps of chains of unanswered operations, where each swap needs what the one before it writes. */
function addWays(
  order: Set<Operation>,
  next: Operation,
  value: number,
  open: readonly Operation[],
): void {
  for (const other of open) {
    if (order.has(other) || !makesWay(other, next)) continue;
    if (changes(other, value)) order.add(other);
    else if (other.kind === 'swap' && other.expected !== value) {
      const rest = open.filter((one) => one !== other);
      addWays(order, { ...other, outcome: 'ok', result: 1 }, value, rest);
    }
  }
}

function changes(operation: Operation, value: number): boolean {
  return apply(operation, value) !== value;
}

/** Whether `next` can happen when `other` has just written. */
function makesWay(other: Operation, next: Operation): boolean {
  return apply(next, other.value) !== null;
}

/** Writes come before the reads that were served at their index. */
function byHint(a: Operation, b: Operation): number {
  if (a.hint !== b.hint) return a.hint - b.hint;
  return (a.kind === 'read' ? 1 : 0) - (b.kind === 'read' ? 1 : 0);
}

/** Which operations are done, as text: all before `first`, and the ones set behind it. */
function stateKey(isTaken: Uint8Array, first: number, value: number): string {
  let text = `${first} ${value}`;
  for (let i = first; i < isTaken.length; i++) if (isTaken[i] === 1) text += ` ${i}`;
  return text;
}

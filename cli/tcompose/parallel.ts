// Work on several things at once, but not on more than a number of them.

/** Does `work` for every item, at most `limit` at a time. The first failure is thrown when what runs has ended; nothing new is begun after it. */
export async function atMost<T>(
  limit: number | undefined,
  items: readonly T[],
  work: (item: T) => Promise<void>,
): Promise<void> {
  const waiting = items.values();
  const failures: unknown[] = [];
  const lane = async (): Promise<void> => {
    for (const item of waiting) {
      if (failures.length > 0) return;
      await work(item).catch((error: unknown) => failures.push(error));
    }
  };
  const lanes = Math.min(limit ?? items.length, items.length);
  await Promise.all(Array.from({ length: lanes }, lane));
  if (failures.length > 0) throw failures[0];
}

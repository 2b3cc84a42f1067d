// Work on several things at once, but not on more than a number of them.

/** Does `work` for every item, at most `limit` at a time. The first failure is thrown; nothing new is begun after it. */
export async function atMost<T>(
  limit: number | undefined,
  items: readonly T[],
  work: (item: T) => Promise<void>,
): Promise<void> {
  const waiting = items.values();
  let hasFailed = false;
  const lane = async (): Promise<void> => {
    for (const item of waiting) {
      if (hasFailed) return;
      try {
        await work(item);
      } catch (error) {
        hasFailed = true;
        throw error;
      }
    }
  };
  const lanes = Math.min(limit ?? items.length, items.length);
  await Promise.all(Array.from({ length: lanes }, lane));
}

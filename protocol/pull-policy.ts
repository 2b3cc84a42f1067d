// When an image that is here is asked for again: Compose's `pull_policy: every_1d12h`, which clients, managers and nodes read alike.
const UNITS_MS: Readonly<Record<string, number>> = {
  w: 604_800_000,
  d: 86_400_000,
  h: 3_600_000,
  m: 60_000,
  s: 1000,
};

/** The age in ms from which an image is fetched anew by this policy; undefined = age does not count. */
export function refreshAfterMs(policy: string): number | undefined {
  const [, durations = ''] = /^every_((?:\d+[wdhms])+)$/.exec(policy) ?? [];
  if (durations === '') return undefined;
  let sum = 0;
  for (const [, count = '', unit = ''] of durations.matchAll(/(\d+)([wdhms])/g)) {
    sum += Number(count) * (UNITS_MS[unit] ?? 0);
  }
  return sum;
}

/** What the policies with a name mean. */
export const NAMED_REFRESHES: Readonly<Record<string, string>> = {
  daily: 'every_1d',
  weekly: 'every_1w',
};

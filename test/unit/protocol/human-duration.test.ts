// Durations in docker's words and with its rounding (units.HumanDuration).
import { expect, it } from 'vitest';
import { humanDuration } from '#protocol/human-duration';

const HOUR = 3_600_000;

it.each([
  [999, 'Less than a second'],
  [1000, '1 second'],
  [59_999, '59 seconds'],
  [60_000, 'About a minute'],
  [120_000, '2 minutes'],
  [59 * 60_000, '59 minutes'],
  [HOUR, 'About an hour'],
  [1.49 * HOUR, 'About an hour'],
  [1.5 * HOUR, '2 hours'],
  [47 * HOUR, '47 hours'],
  [48 * HOUR, '2 days'],
  [14 * 24 * HOUR, '2 weeks'],
  [60 * 24 * HOUR, '2 months'],
  [730 * 24 * HOUR, '2 years'],
])('%d ms', (ms, text) => expect(humanDuration(ms)).toBe(text));

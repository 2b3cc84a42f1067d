// Where the native programs under test are. TSWARM_TEST_NATIVE names another build of them, for
// example native/build/asan after `make -C native asan`.

import { existsSync } from 'node:fs';
import { join } from 'node:path';

const BUILD = join(import.meta.dirname, '../../native/build');

/** The path of a native program; one that the other build lacks comes from the usual one. */
export function program(name: string): string {
  const other = join(process.env.TSWARM_TEST_NATIVE ?? BUILD, name);
  return existsSync(other) ? other : join(BUILD, name);
}

/** Sanitizers need memory of their own: figures about memory say nothing then. */
export const IS_SANITIZED: boolean = (process.env.TSWARM_TEST_NATIVE ?? '').includes('asan');

/** How much longer than usual everything may take: more than 1 where the processor is emulated. */
export const PATIENCE = Number(process.env.TSWARM_TEST_PATIENCE ?? 1);

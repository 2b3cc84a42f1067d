// tswarm on a test's node: what a command that must succeed prints, what one that must fail says.
import { expect } from 'vitest';
import type { TestNode } from './test-node.ts';

export interface TswarmOn {
  /** Standard output of a command that must succeed. */
  readonly out: (...args: string[]) => Promise<string>;
  /** What a command that must fail says. */
  readonly refused: (...args: string[]) => Promise<string>;
}

/** @param node asked at each call: the node is mostly made in beforeAll */
export function tswarmOn(node: () => TestNode): TswarmOn {
  return {
    async out(...args) {
      const result = await node().tswarm(args);
      expect(result.code, `${args.join(' ')}: ${result.stderr}`).toBe(0);
      return result.stdout;
    },
    async refused(...args) {
      const result = await node().tswarm(args);
      expect(result.code, `${args.join(' ')}: ${result.stdout}`).not.toBe(0);
      return result.stderr;
    },
  };
}

/** One JSON object a line, as lists print them with `--format json`. */
export function jsonLines(text: string): Record<string, unknown>[] {
  const lines = text.trim().split('\n').filter(Boolean);
  return lines.map((line) => JSON.parse(line));
}

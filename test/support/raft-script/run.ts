// Runs a whole script: each block by whichever of the three environments knows its command.
import { ConfChangeEnv } from './confchange-script.ts';
import { InteractionEnv } from './interaction.ts';
import { ScriptOutput } from './output.ts';
import { parseScript, type ScriptBlock, type ScriptPart } from './parse.ts';
import { runQuorumCommand } from './quorum-script.ts';

export interface ScriptRun {
  readonly parts: readonly ScriptPart[];
  readonly blocks: readonly ScriptBlock[];
  /** One per block. */
  readonly results: readonly string[];
}

/** Runs `source` from its beginning in fresh environments. */
export function runScript(source: string): ScriptRun {
  const parts = parseScript(source);
  const blocks = parts.filter((part) => part.kind === 'block');
  const output = new ScriptOutput();
  const interaction = new InteractionEnv(output);
  const confChange = new ConfChangeEnv();
  const results = blocks.map((block) => {
    const pure = runQuorumCommand(block) ?? confChange.run(block);
    if (pure !== null) return pure;
    if (interaction.run(block)) return output.take();
    return `unknown command ${block.command}`;
  });
  return { parts, blocks, results };
}

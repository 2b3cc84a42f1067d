// Which variables a project's files use, for `config --variables`: on the merged tree before anything was filled in. Of several uses of a variable one
// counts: compose-go's template package keeps what it has learnt about defaults and adds what another use knows.

import { type VariableUse, variablesOf } from './template.ts';
import type { Node } from './tree.ts';

/** The variables in the string values of `tree`, by name, each once. */
export function usedVariables(tree: Node): readonly VariableUse[] {
  const uses = new Map<string, VariableUse>();
  for (const text of texts(tree)) {
    for (const use of variablesOf(text)) {
      const known = uses.get(use.name);
      uses.set(use.name, known === undefined ? use : both(known, use));
    }
  }
  return [...uses.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

function* texts(node: Node): Generator<string> {
  if (node.kind === 'map') for (const [, { value }] of node.entries) yield* texts(value);
  else if (node.kind === 'seq') for (const item of node.items) yield* texts(item);
  else if (node.kind === 'scalar' && node.type === 'string') yield String(node.value);
}

/** Required anywhere is required; the first default and the first alternative count. */
function both(a: VariableUse, b: VariableUse): VariableUse {
  const defaultValue = a.defaultValue ?? b.defaultValue;
  const alternateValue = a.alternateValue ?? b.alternateValue;
  return {
    name: a.name,
    required: a.required || b.required,
    ...(defaultValue === undefined ? {} : { defaultValue }),
    ...(alternateValue === undefined ? {} : { alternateValue }),
  };
}

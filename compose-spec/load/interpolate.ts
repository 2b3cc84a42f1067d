// Fills in `${…}` in every string value of one file's tree, and casts what must be a number or a
// boolean at its path (compose.md §2.4). Keys are never touched. A value that fails becomes a `bad`
// node, so all such mistakes of a file are reported together.

import type { Diagnostics } from './errors.ts';
import { describeFault, type Lookup, substitute, unsetWarning } from './template.ts';
import type { Node, Path, ScalarNode } from './tree.ts';
import {
  badNode,
  boolNode,
  formatPath,
  formatPathAnyIndex,
  mapEntries,
  PathTable,
} from './tree.ts';

type Cast = 'int' | 'int64' | 'float' | 'bool';

const SERVICE_CASTS: Readonly<Record<string, Cast>> = {
  cpu_count: 'int64',
  cpu_percent: 'float',
  cpu_period: 'int64',
  cpu_quota: 'int64',
  cpu_rt_period: 'int64',
  cpu_rt_runtime: 'int64',
  cpu_shares: 'int64',
  cpus: 'float',
  'depends_on.*.required': 'bool',
  'depends_on.*.restart': 'bool',
  'deploy.placement.max_replicas_per_node': 'int',
  'deploy.replicas': 'int',
  'deploy.restart_policy.max_attempts': 'int',
  'deploy.rollback_config.max_failure_ratio': 'float',
  'deploy.rollback_config.parallelism': 'int',
  'deploy.update_config.max_failure_ratio': 'float',
  'deploy.update_config.parallelism': 'int',
  'healthcheck.disable': 'bool',
  'healthcheck.retries': 'int',
  init: 'bool',
  oom_kill_disable: 'bool',
  oom_score_adj: 'int64',
  pids_limit: 'int64',
  'ports.*.target': 'int',
  privileged: 'bool',
  read_only: 'bool',
  scale: 'int',
  stdin_open: 'bool',
  tty: 'bool',
  'ulimits.*': 'int',
  'ulimits.*.hard': 'int',
  'ulimits.*.soft': 'int',
  'volumes.*.read_only': 'bool',
  'volumes.*.volume.nocopy': 'bool',
};

const CASTS = new PathTable<Cast>({
  ...Object.fromEntries(Object.entries(SERVICE_CASTS).map(([k, v]) => [`services.*.${k}`, v])),
  'networks.*.external': 'bool',
  'networks.*.internal': 'bool',
  'networks.*.attachable': 'bool',
  'networks.*.enable_ipv4': 'bool',
  'networks.*.enable_ipv6': 'bool',
  'volumes.*.external': 'bool',
  'secrets.*.external': 'bool',
  'configs.*.external': 'bool',
});

/** The tree with variables filled in. `lookup` of undefined leaves strings as they are. */
export function interpolate(
  root: Node,
  lookup: Lookup | undefined,
  diagnostics: Diagnostics,
  base: Path = [],
): Node {
  return visit(root, base, { lookup, diagnostics });
}

interface Context {
  readonly lookup: Lookup | undefined;
  readonly diagnostics: Diagnostics;
}

function visit(node: Node, path: Path, context: Context): Node {
  switch (node.kind) {
    case 'map':
      return mapEntries(node, (value, key) => visit(value, [...path, key], context));
    case 'seq':
      return { ...node, items: node.items.map((item, i) => visit(item, [...path, i], context)) };
    case 'bad':
      return node;
    case 'scalar':
      return node.type === 'string' ? scalar(node, path, context) : node;
  }
}

function scalar(node: ScalarNode, path: Path, context: Context): Node {
  const { lookup, diagnostics } = context;
  if (lookup === undefined) return node;
  const template = String(node.value);
  const result = substitute(template, lookup, (name) =>
    diagnostics.warn(unsetWarning(name), { at: node.at, path: formatPath(path) }),
  );
  const where = formatPathAnyIndex(path);
  if (!result.ok) {
    const { fault } = result;
    if (fault.kind === 'invalid') {
      diagnostics.error(
        'interpolation',
        `invalid interpolation format for ${where}.\nYou may need to escape any $ with another $.\n${fault.template}`,
        { at: node.at, path: formatPath(path), hint: 'write $$ for a dollar sign' },
      );
    } else {
      diagnostics.error(
        'interpolation',
        `error while interpolating ${where}: ${describeFault(fault)}`,
        {
          at: node.at,
          path: formatPath(path),
          hint: `set ${fault.variable} in the environment or in .env`,
        },
      );
    }
    return badNode(node.at);
  }
  const cast = CASTS.get(path);
  if (cast === undefined) return result.text === template ? node : { ...node, value: result.text };
  return castScalar(result.text, cast, node, path, context);
}

function castScalar(
  text: string,
  cast: Cast,
  node: ScalarNode,
  path: Path,
  context: Context,
): Node {
  const fail = (reason: string): Node => {
    const message = `error while interpolating ${formatPathAnyIndex(path)}: failed to cast to expected type: ${reason}`;
    const expected =
      cast === 'bool' ? 'true or false' : cast === 'float' ? 'a number' : 'an integer';
    context.diagnostics.error('interpolation', message, {
      at: node.at,
      path: formatPath(path),
      hint: `${formatPath(path)} takes ${expected}; \`${String(node.value)}\` gives "${text}"`,
    });
    return badNode(node.at);
  };
  switch (cast) {
    case 'bool': {
      const value = parseBoolean(text);
      if (value === undefined) return fail(`invalid boolean: ${text}`);
      if (value.legacy) {
        const word = JSON.stringify(text);
        const instead = `${word} for boolean is not supported by YAML 1.2, please use \`${value.value}\``;
        context.diagnostics.warn(instead, { at: node.at, path: formatPath(path) });
      }
      return boolNode(value.value, node.at);
    }
    case 'float': {
      if (!/^[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?$/.test(text)) {
        return fail(`strconv.ParseFloat: parsing ${JSON.stringify(text)}: invalid syntax`);
      }
      return { kind: 'scalar', type: 'float', value: Number(text), at: node.at };
    }
    default: {
      const call = cast === 'int' ? 'strconv.Atoi' : 'strconv.ParseInt';
      if (!/^[-+]?\d+$/.test(text)) {
        return fail(`${call}: parsing ${JSON.stringify(text)}: invalid syntax`);
      }
      if (!Number.isSafeInteger(Number(text))) {
        return fail(`${call}: parsing ${JSON.stringify(text)}: value out of range`);
      }
      return { kind: 'scalar', type: 'int', value: Number(text), at: node.at };
    }
  }
}

/** Words for a boolean; `legacy` ones were booleans before YAML 1.2. */
export function parseBoolean(text: string): { value: boolean; legacy: boolean } | undefined {
  const word = text.toLowerCase();
  if (word === 'true' || word === 'false') return { value: word === 'true', legacy: false };
  if (['y', 'yes', 'on'].includes(word)) return { value: true, legacy: true };
  if (['n', 'no', 'off'].includes(word)) return { value: false, legacy: true };
  return undefined;
}

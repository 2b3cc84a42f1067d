// npm run cluster -- …: a cluster on this machine to try things on. Each node is a real tswarmd with a network, a host name and a disk of its own; commands
// work from any shell. What it can do to the nodes is what happens to machines: cables, crashes, stalls.
import { spawnSync } from 'node:child_process';
import { parseArgs } from 'node:util';
import { Lab } from '#test/support/cluster-lab/lab';

const HELP = `Usage: npm run cluster -- COMMAND

  up [--managers N] [--workers N]   make hosts and one cluster over them (3 managers, 2 workers)
     [--init-flag FLAG]…            more flags for tswarm init, such as --init-flag=--autolock
     [--labels a=b,…]               labels of every engine
  status                            nodes, their daemons, and what the cluster says
  exec NODE COMMAND…                run a command on a node: tswarm, tcompose, docker, ping, …
  logs NODE                         the log of its tswarmd
  partition NODE NODE [--one-way]   lose all packets between two nodes (or from the first to the second)
  isolate NODE                      cut a node off from all others
  lose NODE PERCENT                 lose so many of the packets that come in
  slow NODE MS                      its disk takes about so long for each write that waits for it; 0: as usual
  heal                              end all partitions, losses and slow disks
  pause NODE                        daemon and manager stand still; start lets them go on
  kill NODE                         daemon and manager end at once (kill -9); containers go on
  poweroff NODE                     the whole host ends, containers too
  stop NODE                         the daemon stops in order; containers go on
  start NODE                        start or resume the daemon
  add NODE                          another host with a daemon, in no cluster yet
  down                              remove every trace, also after a crash

  --name NAME                       another lab beside the first (or TSWARM_LAB; "lab")

Nodes are m1, m2, … (managers) and w1, w2, … (workers).
Example: npm run cluster -- up && npm run cluster -- exec m1 tswarm node ls
`;

const OPTIONS = {
  name: { type: 'string', default: process.env.TSWARM_LAB ?? 'lab' },
  managers: { type: 'string', default: '3' },
  workers: { type: 'string', default: '2' },
  'init-flag': { type: 'string', multiple: true, default: [] as string[] },
  labels: { type: 'string' },
  'one-way': { type: 'boolean', default: false },
  help: { type: 'boolean', short: 'h', default: false },
} as const;

/** Everything after the node of `exec` is the command's, flags too. */
function splitCommand(argv: readonly string[]): {
  readonly own: readonly string[];
  readonly rest: readonly string[];
} {
  const at = argv.indexOf('exec');
  return at < 0
    ? { own: argv, rest: [] }
    : { own: argv.slice(0, at + 2), rest: argv.slice(at + 2) };
}

function count(what: string, text: string, least: number, most = 50): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < least || value > most) {
    throw new Error(`${what}: a number from ${least} to ${most} is needed`);
  }
  return value;
}

async function main(argv: readonly string[]): Promise<number> {
  const { own, rest } = splitCommand(argv);
  const { values, positionals } = parseArgs({
    args: [...own],
    options: OPTIONS,
    allowPositionals: true,
  });
  const [command = '', first = '', second = ''] = positionals;
  if (values.help || command === '') {
    process.stdout.write(HELP);
    return values.help ? 0 : 2;
  }
  if (process.getuid?.() !== 0) throw new Error('namespaces need root: use sudo');
  const lab = new Lab(values.name);
  if (command === 'up') return up(lab, values);
  if (command === 'down') {
    if (!lab.exists) say('there is no lab');
    else {
      await lab.down();
      say('every trace removed');
    }
    return 0;
  }
  if (!lab.exists) throw new Error('there is no lab; make one: npm run cluster -- up');
  return onNode(lab, { command, first, second, rest, oneWay: values['one-way'] });
}

async function up(
  lab: Lab,
  values: {
    readonly managers: string;
    readonly workers: string;
    readonly 'init-flag': readonly string[];
    readonly labels?: string | undefined;
  },
): Promise<number> {
  const started = performance.now();
  try {
    await lab.up({
      managers: count('--managers', values.managers, 1),
      workers: count('--workers', values.workers, 0),
      initFlags: values['init-flag'],
      daemonFlags: values.labels === undefined ? [] : ['--labels', values.labels],
      progress: say,
    });
  } catch (error) {
    say('it failed; the lab is left for a look: npm run cluster -- status | logs NODE | down');
    throw error;
  }
  say(`ready after ${((performance.now() - started) / 1000).toFixed(1)} s`);
  return status(lab);
}

interface Verb {
  readonly command: string;
  readonly first: string;
  readonly second: string;
  readonly rest: readonly string[];
  readonly oneWay: boolean;
}

async function onNode(lab: Lab, verb: Verb): Promise<number> {
  const { command, first, second } = verb;
  if (command === 'status') return status(lab);
  if (command === 'heal') {
    lab.heal();
    say('no packet is lost any more, and no disk is slow');
    return 0;
  }
  if (command === 'add') {
    lab.addHost(first || `n${lab.nodes.length + 1}`);
    await lab.start(first);
    return 0;
  }
  lab.node(first);
  switch (command) {
    case 'exec':
      return exec(lab, first, verb.rest);
    case 'logs':
      process.stdout.write(lab.log(first));
      return 0;
    case 'partition':
      lab.node(second);
      lab.partition(first, second, verb.oneWay);
      break;
    case 'isolate':
      lab.isolate(first);
      break;
    case 'lose':
      lab.lose(first, count('PERCENT', second, 1, 100));
      break;
    case 'slow':
      lab.slow(first, count('MS', second, 0, 10_000));
      break;
    case 'pause':
      lab.pause(first);
      break;
    case 'kill':
      await lab.kill(first);
      break;
    case 'poweroff':
      await lab.powerOff(first);
      break;
    case 'stop':
      await lab.stop(first);
      break;
    case 'start':
      await lab.start(first);
      break;
    default:
      throw new Error(`unknown command ${command}; see --help`);
  }
  return 0;
}

function exec(lab: Lab, node: string, command: readonly string[]): number {
  const words = command.length === 0 ? ['sh'] : command;
  const result = spawnSync('nsenter', [...lab.enter(node), '--', ...words], {
    stdio: 'inherit',
    env: { ...process.env, ...lab.environment(node) },
  });
  return result.status ?? 1;
}

async function status(lab: Lab): Promise<number> {
  const rows = lab.nodes.map(({ name, address }) => {
    const cut = lab.cutFrom(name);
    const notes = [
      ...(cut.length === 0 ? [] : [`gets nothing from ${cut}`]),
      ...(lab.hasSlowDisk(name) ? ['slow disk'] : []),
    ];
    return [name, address, lab.state(name), notes.join(', ')];
  });
  process.stdout.write(table([['NODE', 'ADDRESS', 'TSWARMD', ''], ...rows]));
  for (const { name } of lab.nodes) {
    if (lab.state(name) !== 'running') continue;
    const result = await lab.tswarm(name, ['node', 'ls'], { timeoutMs: 10_000 });
    if (result.code !== 0) continue;
    process.stdout.write(`\nThe cluster, as ${name} sees it:\n${result.stdout}`);
    return 0;
  }
  process.stdout.write('\nNo node can show the cluster.\n');
  return 1;
}

function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => (row[column] ?? '').length)),
  );
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
    .concat('\n');
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  process.stderr.write(`cluster: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}

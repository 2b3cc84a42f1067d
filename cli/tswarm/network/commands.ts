// Flags and help of tswarm network: docker's commands and flags, and `check`.
import type { Command } from 'commander';
import { type CommandTools, collect } from '../command-tools.ts';

type Options = Readonly<Record<string, never>>;

export function addNetworkCommands(networks: Command, tools: CommandTools): void {
  addViews(networks, tools);
  addChanges(networks, tools);
  addMemberships(networks, tools);
}

function addViews(networks: Command, { run, client }: CommandTools): void {
  const verbs = (): Promise<typeof import('./network.ts')> => import('./network.ts');
  networks
    .command('ls')
    .alias('list')
    .description('List networks')
    .option('-f, --filter <key=value>', 'only those (repeatable)', collect)
    .option('--format <template>', 'table, json or a template')
    .option('--no-trunc', 'whole ids')
    .option('-q, --quiet', 'only ids')
    .option('--json', 'one JSON object a line')
    .action(run(async (options: Options) => (await verbs()).ls(client(), options)));
  networks
    .command('inspect <networks...>')
    .description('Show everything about networks')
    .option('-f, --format <template>', 'json or a template')
    .option('-v, --verbose', 'also services and tasks of the whole cluster')
    .action(
      run(async (names: string[], options: Options) =>
        (await verbs()).inspect(client(), names, options),
      ),
    );
  networks
    .command('check')
    .description('Look at the way from this node to the others: handshakes, loss, MTU, rules')
    .option('--json', 'the whole report')
    .action(run(async (options: Options) => (await import('./check.ts')).check(client(), options)));
}

function addChanges(networks: Command, { run, client }: CommandTools): void {
  const verbs = (): Promise<typeof import('./change.ts')> => import('./change.ts');
  networks
    .command('create <name>')
    .description('Create a network')
    .option('-d, --driver <driver>', 'overlay (all nodes, encrypted) or bridge (this node)')
    .option('-o, --opt <key=value>', 'option of the driver (repeatable)', collect)
    .option('--subnet <cidr>', 'subnet (repeatable: one for each family)', collect)
    .option('--gateway <address>', 'gateway of the subnet (repeatable)', collect)
    .option('--ip-range <cidr>', 'part of the subnet to take addresses from (repeatable)', collect)
    .option('--aux-address <name=address>', 'address that nobody gets (repeatable)', collect)
    .option('--ipv6', 'also IPv6')
    .option('--internal', 'no way out of it')
    .option('--attachable', 'containers of "docker run" may join')
    .option('--label <key=value>', 'label (repeatable)', collect)
    .action(
      run(async (name: string, options: Options) =>
        (await verbs()).create(client(), name, options),
      ),
    );
  networks
    .command('rm <networks...>')
    .alias('remove')
    .description('Remove networks')
    .option('-f, --force', 'no error for one that is not there')
    .action(
      run(async (names: string[], options: Options) =>
        (await verbs()).rm(client(), names, options),
      ),
    );
  networks
    .command('prune')
    .description('Remove all networks that nothing uses')
    .option('-f, --force', 'do not ask')
    .option('--filter <key=value>', 'only those (repeatable)', collect)
    .action(run(async (options: Options) => (await verbs()).prune(client(), options)));
}

function addMemberships(networks: Command, { run, client }: CommandTools): void {
  const verbs = (): Promise<typeof import('./change.ts')> => import('./change.ts');
  networks
    .command('connect <network> <container>')
    .description('Connect a container of this node to a network')
    .option('--ip <address>', 'IPv4 address')
    .option('--ip6 <address>', 'IPv6 address')
    .option('--alias <name>', 'another name on this network (repeatable)', collect)
    .action(
      run(async (network: string, container: string, options: Options) =>
        (await verbs()).connect(client(), { network, container }, options),
      ),
    );
  networks
    .command('disconnect <network> <container>')
    .description('Disconnect a container of this node from a network')
    .option('-f, --force', 'also when the container does not run')
    .action(
      run(async (network: string, container: string, options: Options) =>
        (await verbs()).disconnect(client(), { network, container }, options),
      ),
    );
}

// Flags and help of init, join, leave, join-token, ca, unlock, unlock-key, update: `tswarm init` and, under docker's name, `tswarm swarm init`. The flags are
// docker's; one that this version cannot honour is refused by name.
import type { Command } from 'commander';
import { type CommandTools, collect } from '../command-tools.ts';

type Options = Readonly<Record<string, never>>;

/** Adds the commands of a cluster's life to `parent`. */
export function addClusterCommands(parent: Command, tools: CommandTools): void {
  addMembership(parent, tools);
  addKeys(parent, tools);
}

function addSettings(command: Command): Command {
  return command
    .option('--cert-expiry <duration>', 'validity of node certificates (default 2160h)')
    .option('--dispatcher-heartbeat <duration>', 'how often nodes say that they live (default 2s)')
    .option('--task-history-limit <count>', 'ended tasks that are kept per slot (default 5)')
    .option('--snapshot-interval <count>', 'log entries between snapshots (default 10000)')
    .option('--max-snapshots <count>', 'older snapshots that are kept (default 0)')
    .option('--external-ca <spec>', 'refused: certificates come from the cluster itself');
}

function addMembership(parent: Command, { run, client }: CommandTools): void {
  const verbs = (): Promise<typeof import('./membership.ts')> => import('./membership.ts');
  const init = parent
    .command('init')
    .description('Create a cluster with this host as its manager')
    .option('--advertise-addr <addr>', 'address or interface that other nodes reach this one at')
    .option('--listen-addr <addr>', 'address to listen on (default 0.0.0.0:2377)')
    .option('--autolock', 'managers need a key when they start')
    .option('--availability <word>', 'active, pause or drain')
    .option('--data-path-addr <addr>', 'refused: tswarmd --mesh-addr sets it')
    .option('--data-path-port <port>', 'UDP port of container traffic (default 51820)')
    .option('--default-addr-pool <cidr>', 'address pool for networks (repeatable)', collect)
    .option('--default-addr-pool-mask-length <bits>', 'size of the networks from the pool')
    .option('--force-new-cluster', 'on a manager that has lost the others: go on alone');
  addSettings(init).action(
    run(async (options: Options) => (await verbs()).init(client(), options)),
  );
  parent
    .command('join [addresses...]')
    .description('Join a cluster as worker or manager; ADDRESSES are managers of it')
    .option('--token <token>', 'join token (tswarm join-token on a manager)')
    .option('--advertise-addr <addr>', 'address or interface that other nodes reach this one at')
    .option('--listen-addr <addr>', 'address to listen on as a manager (default 0.0.0.0:2377)')
    .option('--availability <word>', 'active, pause or drain')
    .option('--data-path-addr <addr>', 'refused: tswarmd --mesh-addr sets it')
    .action(
      run(async (addresses: string[], options: Options) =>
        (await verbs()).join(client(), addresses, options),
      ),
    );
  parent
    .command('leave')
    .description('Leave the cluster')
    .option('-f, --force', 'also when this is a manager, even the last: the cluster is gone then')
    .action(run(async (options: Options) => (await verbs()).leave(client(), options)));
  const update = parent
    .command('update')
    .description('Change settings of the cluster')
    .option('--autolock [on]', 'whether managers need a key when they start (true or false)');
  addSettings(update).action(
    run(async (options: Options) => (await verbs()).update(client(), options)),
  );
}

function addKeys(parent: Command, { run, client }: CommandTools): void {
  const verbs = (): Promise<typeof import('./keys.ts')> => import('./keys.ts');
  parent
    .command('join-token <role>')
    .description('Show the token for joining as worker or manager')
    .option('--rotate', 'make a new one; the old one is of no use any more')
    .option('-q, --quiet', 'only the token')
    .action(
      run(async (role: string, options: Options) =>
        (await verbs()).joinToken(client(), role, options),
      ),
    );
  parent
    .command('unlock')
    .description('Unlock the manager on this node; the key is read from the terminal or stdin')
    .action(run(async () => (await verbs()).unlock(client())));
  parent
    .command('unlock-key')
    .description('Show the key that locked managers need')
    .option('--rotate', 'make a new one')
    .option('-q, --quiet', 'only the key')
    .action(run(async (options: Options) => (await verbs()).unlockKey(client(), options)));
  parent
    .command('ca')
    .description('Show the root certificate, or replace it')
    .option('--rotate', 'make a new root; all nodes get new certificates')
    .option('--ca-cert <file>', 'PEM of the root to rotate to')
    .option('--ca-key <file>', 'PEM of its key')
    .option('--cert-expiry <duration>', 'validity of node certificates')
    .option('--external-ca <spec>', 'refused: certificates come from the cluster itself')
    .option('-d, --detach', 'do not wait until all nodes have new certificates')
    .option('-q, --quiet', 'no progress')
    .action(run(async (options: Options) => (await verbs()).ca(client(), options)));
}

/** backup and restore, which docker does not have. */
export function addBackupCommands(parent: Command, { run, client }: CommandTools): void {
  const verbs = (): Promise<typeof import('./backup.ts')> => import('./backup.ts');
  parent
    .command('backup <file>')
    .description('Save the state of the cluster to a file (- is standard output)')
    .action(run(async (file: string) => (await verbs()).backup(client(), file)));
  parent
    .command('restore <file>')
    .description('Make a cluster from a backup, with this host as its only manager')
    .option('--advertise-addr <addr>', 'address or interface that other nodes reach this one at')
    .option('--listen-addr <addr>', 'address to listen on (default 0.0.0.0:2377)')
    .option('--unlock-key', 'the backup is of a locked cluster: read the key from stdin')
    .action(
      run(async (file: string, options: Options) =>
        (await verbs()).restore(client(), file, options),
      ),
    );
}

/** dashboard, which docker does not have. */
export function addDashboardCommand(parent: Command, { run, client }: CommandTools): void {
  parent
    .command('dashboard')
    .description('Print a link to the dashboard; it signs in once, within ten minutes')
    .option('--viewer', 'for somebody who may look but not change anything')
    .option('--operator', 'for somebody who runs things: no members, keys or tokens of the cluster')
    .option('--json', 'link, role and validity as JSON')
    .action(
      run(async (options: Options) =>
        (await import('./dashboard.ts')).dashboard(client(), options),
      ),
    );
}

/** history, which docker does not have. */
export function addHistoryCommand(parent: Command, { run, client }: CommandTools): void {
  parent
    .command('history')
    .description('Show the last changes of the cluster, and who made them')
    .option('-n, --limit <count>', 'newest changes (default 100; the last 1000 are kept)')
    .option('--format <template>', 'table, json or a template')
    .option('--json', 'one JSON object a line')
    .action(
      run(async (options: Options) => (await import('./history.ts')).history(client(), options)),
    );
}

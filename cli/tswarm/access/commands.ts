// Flags and help of login, logout, context, token, client-cert, audit.
import type { Command } from 'commander';
import type { CommandTools } from '../command-tools.ts';

type Options = Readonly<Record<string, never>>;

export function addAccessCommands(program: Command, tools: CommandTools): void {
  addSignIn(program, tools);
  addContexts(program.command('context').description('Clusters that commands can go to'), tools);
  addTokens(program.command('token').description('Tokens for the API over the network'), tools);
  addCertificates(
    program.command('client-cert').description('Client certificates, for docker and others'),
    tools,
  );
}

function addSignIn(program: Command, { run, client }: CommandTools): void {
  const verbs = (): Promise<typeof import('./login.ts')> => import('./login.ts');
  program
    .command('login <host>')
    .description('Sign in to a cluster with a token, which is read from the terminal or stdin')
    .option('--name <context>', 'name of the context (default: the host)')
    .option('--description <text>', 'text shown by "context ls"')
    .addHelpText('after', '\nThe token comes from "tswarm token create" on a manager.')
    .action(run(async (host: string, options: Options) => (await verbs()).login(host, options)));
  program
    .command('logout [context]')
    .description('Forget a context and its token')
    .action(run(async (name: string | undefined) => (await verbs()).logout(name)));
  program
    .command('audit')
    .description('Show what was changed through this node, by whom, and what was refused')
    .option('-n, --limit <count>', 'newest lines (default 100, at most 1000)')
    .option('--format <template>', 'table, json or a template')
    .option('--json', 'one JSON object a line')
    .action(
      run(async (options: Options) => (await import('./credentials.ts')).audit(client(), options)),
    );
}

function addContexts(contexts: Command, { run }: CommandTools): void {
  const verbs = (): Promise<typeof import('./contexts.ts')> => import('./contexts.ts');
  contexts
    .command('ls')
    .alias('list')
    .description('List contexts')
    .option('--format <template>', 'table, json or a template')
    .option('-q, --quiet', 'only names')
    .option('--json', 'one JSON object a line')
    .action(run(async (options: Options) => (await verbs()).ls(options)));
  contexts
    .command('show')
    .description('Print the name of the context in use')
    .action(run(async () => (await verbs()).show()));
  contexts
    .command('use <name>')
    .description('Let commands go to this cluster from now on')
    .action(run(async (name: string) => (await verbs()).use(name)));
  contexts
    .command('create <name>')
    .description('Make a context from certificate files')
    .option('--docker <fields>', 'host=tcp://HOST:2376,ca=FILE,cert=FILE,key=FILE')
    .option('--description <text>', 'text shown by "context ls"')
    .action(run(async (name: string, options: Options) => (await verbs()).create(name, options)));
  contexts
    .command('inspect [names...]')
    .description('Show contexts, without their secrets')
    .option('-f, --format <template>', 'json or a template')
    .action(
      run(async (names: string[], options: Options) => (await verbs()).inspect(names, options)),
    );
  contexts
    .command('rm <names...>')
    .alias('remove')
    .description('Remove contexts')
    .option('-f, --force', 'also the one in use')
    .action(run(async (names: string[], options: Options) => (await verbs()).rm(names, options)));
}

const ROLE_HELP = 'viewer (looks), operator (runs things) or admin (default viewer)';

function addTokens(tokens: Command, { run, client }: CommandTools): void {
  const verbs = (): Promise<typeof import('./credentials.ts')> => import('./credentials.ts');
  tokens
    .command('create <name>')
    .description('Make a token and print it, this once')
    .option('--role <role>', ROLE_HELP)
    .option('--expires <duration>', 'as 12h, 90d or 1y (default: it does not)')
    .action(
      run(async (name: string, options: Options) =>
        (await verbs()).createToken(client(), name, options),
      ),
    );
  addList(tokens, 'token', { run, client });
}

function addCertificates(certificates: Command, { run, client }: CommandTools): void {
  const verbs = (): Promise<typeof import('./credentials.ts')> => import('./credentials.ts');
  certificates
    .command('create <name>')
    .description('Make a key and a certificate: ca.pem, cert.pem and key.pem in a folder')
    .option('--role <role>', ROLE_HELP)
    .option('--expires <duration>', 'as 12h, 90d or 1y (default 1y, at most 5y)')
    .option('-o, --out <folder>', 'where to (default tswarm-NAME)')
    .action(
      run(async (name: string, options: Options) =>
        (await verbs()).createCertificate(client(), name, options),
      ),
    );
  addList(certificates, 'certificate', { run, client });
}

function addList(
  parent: Command,
  kind: 'token' | 'certificate',
  { run, client }: CommandTools,
): void {
  const verbs = (): Promise<typeof import('./credentials.ts')> => import('./credentials.ts');
  parent
    .command('ls')
    .alias('list')
    .description('List them, without their secrets')
    .option('--format <template>', 'table, json or a template')
    .option('-q, --quiet', 'only ids')
    .option('--json', 'one JSON object a line')
    .action(run(async (options: Options) => (await verbs()).ls(client(), kind, options)));
  parent
    .command('rm <names...>')
    .alias('remove')
    .description('Take them back; they are refused from then on')
    .action(run(async (names: string[]) => (await verbs()).rm(client(), names)));
}

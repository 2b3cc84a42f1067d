// What docker compose has and tswarm has not, refused by name: what it is asked for instead, never a flag that is taken and ignored. test/unit/cli/compose-cli.test.ts
// holds docker compose's list against the tree of commands.
import type { Command } from 'commander';
import { addRefusedFlags, type RefusedFlag } from '../help/refused-flags.ts';

interface RefusedCommand {
  readonly name: string;
  readonly hint: string;
}

const REFUSED_COMMANDS: readonly RefusedCommand[] = [
  {
    name: 'publish',
    hint: 'compose files are not put into registries; "tcompose config -o FILE" writes one file with everything in it, "--resolve-image-digests" with fixed images',
  },
  {
    name: 'bridge',
    hint: 'compose files run on the cluster as they are; for Kubernetes use kompose, and "tcompose check --target kompose" to see what it would leave out',
  },
  {
    name: 'alpha',
    hint: 'what works of it has its own name: "tcompose --dry-run", "tcompose scale", "tcompose watch"; the dashboard draws the project',
  },
];

const BUILDER = 'images are built by the node itself';

const ATTESTATIONS = 'images carry no attestations';

const REFUSED_FLAGS: Readonly<Record<string, readonly RefusedFlag[]>> = {
  build: [
    { flags: '--builder <name>', hint: BUILDER, idle: ['default'] },
    { flags: '--check', hint: 'a build reports every mistake of its Dockerfile' },
    { flags: '--print', hint: 'there is no bake file; "tcompose config" shows it' },
    { flags: '--provenance <mode>', hint: ATTESTATIONS, idle: ['false'] },
    { flags: '--sbom <mode>', hint: ATTESTATIONS, idle: ['false'] },
  ],
  up: [
    {
      flags: '--menu',
      hint: 'there is no menu: Ctrl-C stops, -d leaves it running, --watch follows files, "tswarm dashboard" shows it',
    },
  ],
};

/** Adds commands and flags whose use ends with what to do instead. */
export function addRefused(program: Command): void {
  for (const { name, hint } of REFUSED_COMMANDS) {
    program
      .command(`${name} [words...]`, { hidden: true })
      .allowUnknownOption()
      .description('not there')
      .action(() => program.error(`error: "${name}" is not supported: ${hint}`));
  }
  for (const [name, refused] of Object.entries(REFUSED_FLAGS)) {
    const command = program.commands.find((known) => known.name() === name);
    if (command) addRefusedFlags(program, command, refused);
  }
}

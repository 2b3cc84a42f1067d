// Flags and help of `tswarm image build`: those of docker's classic builder and of buildx. What there is nothing of here is refused by name.
import { type Command, Option } from 'commander';
import { addRefusedFlags, type RefusedFlag } from '../../help/refused-flags.ts';
import { type CommandTools, collect } from '../command-tools.ts';
import { LIMITS, RIGHTS } from '../container/limit-flags.ts';

type Options = Readonly<Record<string, never>>;

/** The limits of a container that steps of a build can have. */
const STEP_LIMITS: readonly string[] = [
  '-m, --memory',
  '--memory-swap',
  '-c, --cpu-shares',
  '--cpu-period',
  '--cpu-quota',
  '--cpuset-cpus',
  '--cpuset-mems',
  '--cgroup-parent',
];

export const BUILD_LIMITS: typeof LIMITS = [...LIMITS, ...RIGHTS].filter(({ flags }) =>
  STEP_LIMITS.includes(flags.replace(/ <.*/, '')),
);

const ATTESTATIONS = 'images carry no attestations';

const REFUSED: readonly RefusedFlag[] = [
  {
    flags: '--annotation <key=value>',
    hint: 'write it into the image with --label key=value',
  },
  { flags: '--attest <type=…>', hint: ATTESTATIONS },
  {
    flags: '--builder <name>',
    hint: 'images are built by the node itself; -H or --context chooses another',
    idle: ['default'],
  },
  {
    flags: '--call <method>',
    hint: 'a build reports every mistake of its Dockerfile',
    idle: ['build'],
  },
  { flags: '--check', hint: 'a build reports every mistake of its Dockerfile' },
  {
    flags: '--no-disable-content-trust',
    hint: 'name the base images with their digests: FROM name@sha256:…',
  },
  { flags: '--isolation <kind>', hint: 'it means something on Windows only', idle: ['default'] },
  { flags: '--no-rm', hint: 'steps leave no containers behind' },
  { flags: '--provenance <mode>', hint: ATTESTATIONS, idle: ['false'] },
  { flags: '--sbom <mode>', hint: ATTESTATIONS, idle: ['false'] },
  {
    flags: '--security-opt <option>',
    hint: 'a step gets all rights with RUN --security=insecure and --allow security.insecure',
  },
  {
    flags: '--squash',
    hint: 'begin a last stage with FROM scratch and take everything with COPY --from=STAGE / /',
  },
];

export function addBuild(images: Command, { run, client }: CommandTools): void {
  const command = images
    .command('build <path>')
    .description(
      'Build an image; PATH is a folder, or - for a Dockerfile or archive that is piped in',
    );
  addInputs(command);
  addSteps(command);
  addResults(command);
  for (const { flags, help } of BUILD_LIMITS) command.option(flags, `of each step: ${help}`);
  const program = images.parent ?? images;
  addRefusedFlags(program, command, REFUSED);
  command.action(
    run(async (path: string, options: Options) =>
      (await import('./build.ts')).build(client(), path, options),
    ),
  );
}

function addInputs(command: Command): void {
  command
    .option('--build-arg <key=value>', 'argument of the build (repeatable)', collect)
    .option(
      '--build-context <name=source>',
      'further folder, or docker-image://REF (repeatable)',
      collect,
    )
    .option('--compress', 'send the context with gzip')
    .option('-f, --file <file>', 'Dockerfile (default PATH/Dockerfile; - is standard input)')
    .option('--platform <platform>', 'os/arch')
    .option('--pull', 'pull newer base images')
    .option(
      '--secret <id=…>',
      'id=NAME,src=FILE or env=VARIABLE, for RUN --mount (repeatable)',
      collect,
    )
    .option(
      '--ssh <id>',
      'SSH agent for RUN --mount=type=ssh: default, or id=socket (repeatable)',
      collect,
    )
    .option('--target <stage>', 'stop at this stage');
}

function addSteps(command: Command): void {
  command
    .option('--add-host <host:address>', 'line of /etc/hosts for the steps (repeatable)', collect)
    .option('--allow <entitlement>', 'allow steps security.insecure (repeatable)', collect)
    .option('--network <mode>', 'network of the steps: default, host or none')
    .option('--no-cache', 'do every step anew')
    .addOption(noCacheFilter())
    .option('--shm-size <bytes>', 'size of /dev/shm of the steps')
    .option('--ulimit <name=soft[:hard]>', 'limit of the steps (repeatable)', collect)
    .option(
      '--cache-from <source>',
      'taken and said: steps are found by their content, on the node that builds (repeatable)',
      collect,
    )
    .option('--cache-to <target>', 'the same (repeatable)', collect)
    .option('--force-rm', 'no effect: a step that fails leaves nothing behind');
}

function addResults(command: Command): void {
  command
    .option('--iidfile <file>', 'write the id of the image there')
    .option('--label <key=value>', 'label of the image (repeatable)', collect)
    .option('--load', 'no effect: the image is on the node that built it')
    .option('--metadata-file <file>', 'write names and id of the image there, as JSON')
    .option(
      '-o, --output <target>',
      'also its files: FOLDER, or type=local|tar|docker|oci,dest=PATH (- is standard output; repeatable)',
      collect,
    )
    .addOption(
      new Option('--progress <mode>', 'how the steps are shown').choices([
        'auto',
        'plain',
        'tty',
        'rawjson',
        'quiet',
      ]),
    )
    .option('--push', 'push every tag')
    .option('-q, --quiet', 'only the id')
    .option('-t, --tag <name>', 'name[:tag] of the image (repeatable)', collect);
}

/** No negation, although it begins with --no. */
function noCacheFilter(): Option {
  const option = new Option('--no-cache-filter <stages>', 'do the steps of these stages anew');
  option.negate = false;
  return option.argParser(collect);
}

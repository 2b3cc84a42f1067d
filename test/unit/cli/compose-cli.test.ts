// Goal: nothing of docker compose's command line is missing without a reason. Method: its list of commands and flags (docker compose 5.5, reference notes of this project) against
// the tree of tcompose; what is missing must be in REASONS, and REASONS must hold nothing that is there. Refused by name counts as there: the user is told.
import { describe, expect, it } from 'vitest';
import { program } from '#cli/tcompose/program';

/** Command → flags; '' = before the command. A flag of Go's that is true unless given counts as there when its opposite is. */
const DOCKER_COMPOSE: Readonly<Record<string, string>> = {
  '': '-f/--file -p/--project-name --profile --env-file --project-directory --workdir --parallel --ansi --progress --compatibility --all-resources --dry-run --verbose --no-ansi -v/--version --insecure-registry',
  up: '-d/--detach --wait --wait-timeout --build --no-build --pull --quiet-pull --quiet-build --force-recreate --no-recreate --always-recreate-deps -V/--renew-anon-volumes --no-deps --no-start --scale --remove-orphans -t/--timeout --abort-on-container-exit --abort-on-container-failure --exit-code-from --attach --no-attach --attach-dependencies --no-color --no-log-prefix --timestamps -w/--watch --menu -y/--yes',
  down: '-v/--volumes --rmi --remove-orphans -t/--timeout',
  create:
    '--build --no-build --pull --quiet-pull --force-recreate --no-recreate --remove-orphans --scale -y/--yes',
  start: '--wait --wait-timeout',
  stop: '-t/--timeout',
  restart: '-t/--timeout --no-deps',
  pause: '',
  unpause: '',
  kill: '-s/--signal --remove-orphans',
  rm: '-f/--force -s/--stop -v/--volumes -a/--all',
  run: '-d/--detach --rm --name -e/--env --env-from-file -l/--label -u/--user -w/--workdir -v/--volume -p/--publish -P/--service-ports --use-aliases --entrypoint --cap-add --cap-drop --no-deps --build --pull -q/--quiet --quiet-pull --quiet-build --remove-orphans -i/--interactive -T/--no-TTY',
  exec: '-d/--detach -e/--env -u/--user -w/--workdir -T/--no-TTY/--no-tty --privileged --index',
  attach: '--index --detach-keys --no-stdin --sig-proxy',
  cp: '-a/--archive -L/--follow-link --all --index',
  commit: '--index -a/--author -c/--change -m/--message -p/--pause',
  export: '--index -o/--output',
  ps: '-a/--all -q/--quiet --services --orphans --status --filter --format --no-trunc',
  ls: '-a/--all -q/--quiet --filter --format',
  logs: '-f/--follow --index --no-color --no-log-prefix --since --until -n/--tail -t/--timestamps',
  events: '--json --since --until',
  images: '-q/--quiet --format',
  volumes: '-q/--quiet --format',
  port: '--protocol --index',
  top: '',
  stats: '-a/--all --format --no-stream --no-trunc',
  version: '-f/--format --short',
  config:
    '--format -q/--quiet -o/--output --services --volumes --networks --models --images --profiles --hash --variables --environment --resolve-image-digests --lock-image-digests --no-interpolate --no-normalize --no-path-resolution --no-consistency --no-env-resolution',
  build:
    '--build-arg --builder --check -m/--memory --no-cache --print --provenance --pull --push -q/--quiet --sbom --ssh --with-dependencies',
  pull: '--ignore-buildable --ignore-pull-failures --include-deps --policy -q/--quiet',
  push: '--ignore-push-failures --include-deps -q/--quiet',
  scale: '--no-deps',
  wait: '--down-project',
  watch: '--no-up --prune --quiet',
  publish: '',
  bridge: '',
  alpha: '',
};

/** What tcompose has not, and why. */
const REASONS: Readonly<Record<string, string>> = {
  ' --insecure-registry':
    'hidden there and meant for its own tests; which registries may be reached in clear is a setting of the daemon',
};

interface Tree {
  readonly options: readonly {
    readonly long?: string | undefined;
    readonly short?: string | undefined;
  }[];
}

function commandOf(name: string): Tree | undefined {
  return name === '' ? program : program.commands.find((known) => known.name() === name);
}

function has(tree: Tree, flag: string): boolean {
  const opposite = flag.replace(/^--/, '--no-');
  return tree.options.some(({ long, short }) => [long, short].includes(flag) || long === opposite);
}

const ALL = Object.entries(DOCKER_COMPOSE).flatMap(([command, flags]) =>
  flags
    .split(/[ /]/)
    .filter(Boolean)
    .map((flag) => `${command} ${flag}`),
);

function isThere(name: string): boolean {
  const [command = '', flag = ''] = name.split(' ');
  const tree = commandOf(command);
  return tree !== undefined && has(tree, flag);
}

describe('tcompose beside docker compose', () => {
  it('has every command', () => {
    expect(Object.keys(DOCKER_COMPOSE).filter((name) => commandOf(name) === undefined)).toEqual([]);
    expect(commandOf('convert')).toBeUndefined();
    expect(program.commands.some((command) => command.aliases().includes('convert'))).toBe(true);
  });

  it('has every flag, long and short, but those with a reason', () => {
    expect(ALL.filter((name) => !isThere(name) && !(name in REASONS))).toEqual([]);
  });

  it('gives no reason for what is there, or was never asked for', () => {
    expect(Object.keys(REASONS).filter((name) => isThere(name) || !ALL.includes(name))).toEqual([]);
  });
});

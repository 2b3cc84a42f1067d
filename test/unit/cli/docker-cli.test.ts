// Goal: nothing of docker's command line for what tswarm has as well is missing without a reason. Method: commands and flags as the stock client 28.2 prints them
// by --help, against the tree of tswarm; what is missing must be in REASONS, and REASONS must hold nothing that is there.
import { describe, expect, it } from 'vitest';
import { program } from '#cli/tswarm/main';

/** Command → flags. */
const DOCKER: Readonly<Record<string, string>> = {
  'swarm ca': '--ca-cert --ca-key --cert-expiry -d/--detach --external-ca -q/--quiet --rotate',
  'swarm init':
    '--advertise-addr --autolock --availability --cert-expiry --data-path-addr --data-path-port --default-addr-pool --default-addr-pool-mask-length --dispatcher-heartbeat --external-ca --force-new-cluster --listen-addr --max-snapshots --snapshot-interval --task-history-limit',
  'swarm join': '--advertise-addr --availability --data-path-addr --listen-addr --token',
  'swarm join-token': '-q/--quiet --rotate',
  'swarm leave': '-f/--force',
  'swarm unlock': '',
  'swarm unlock-key': '-q/--quiet --rotate',
  'swarm update':
    '--autolock --cert-expiry --dispatcher-heartbeat --external-ca --max-snapshots --snapshot-interval --task-history-limit',
  'node demote': '',
  'node inspect': '-f/--format --pretty',
  'node ls': '-f/--filter --format -q/--quiet',
  'node promote': '',
  'node ps': '-f/--filter --format --no-resolve --no-trunc -q/--quiet',
  'node rm': '-f/--force',
  'node update': '--availability --label-add --label-rm --role',
  'service create':
    '--cap-add --cap-drop --config --constraint --container-label --credential-spec -d/--detach --dns --dns-option --dns-search --endpoint-mode --entrypoint -e/--env --env-file --generic-resource --group --health-cmd --health-interval --health-retries --health-start-interval --health-start-period --health-timeout --host --hostname --init --isolation -l/--label --limit-cpu --limit-memory --limit-pids --log-driver --log-opt --max-concurrent --replicas --mode --mount --name --network --no-healthcheck --no-resolve-image --oom-score-adj --placement-pref -p/--publish -q/--quiet --read-only --replicas --replicas-max-per-node --reserve-cpu --reserve-memory --restart-condition --restart-delay --restart-max-attempts --restart-window --rollback-delay --rollback-failure-action --rollback-max-failure-ratio --rollback-monitor --rollback-order --rollback-parallelism --secret --stop-grace-period --stop-signal --sysctl -t/--tty --ulimit --update-delay --update-failure-action --update-max-failure-ratio --update-monitor --update-order --update-parallelism -u/--user --with-registry-auth -w/--workdir',
  'service inspect': '-f/--format --pretty',
  'service logs':
    '--details -f/--follow --no-resolve --no-task-ids --no-trunc --raw --since -n/--tail -t/--timestamps',
  'service ls': '-f/--filter --format -q/--quiet',
  'service ps': '-f/--filter --format --no-resolve --no-trunc -q/--quiet',
  'service rm': '',
  'service rollback': '-d/--detach -q/--quiet',
  'service scale': '-d/--detach',
  'service update':
    '--args --cap-add --cap-drop --config-add --config-rm --constraint-add --constraint-rm --container-label-add --container-label-rm --credential-spec -d/--detach --dns-add --dns-option-add --dns-option-rm --dns-rm --dns-search-add --dns-search-rm --endpoint-mode --entrypoint --env-add --env-rm --force --generic-resource-add --generic-resource-rm --group-add --group-rm --health-cmd --health-interval --health-retries --health-start-interval --health-start-period --health-timeout --host-add --host-rm --hostname --image --init --isolation --label-add --label-rm --limit-cpu --limit-memory --limit-pids --log-driver --log-opt --max-concurrent --replicas --mount-add --mount-rm --network-add --network-rm --no-healthcheck --no-resolve-image --oom-score-adj --placement-pref-add --placement-pref-rm --publish-add --publish-rm -q/--quiet --read-only --replicas --replicas-max-per-node --reserve-cpu --reserve-memory --restart-condition --restart-delay --restart-max-attempts --restart-window --rollback --rollback-delay --rollback-failure-action --rollback-max-failure-ratio --rollback-monitor --rollback-order --rollback-parallelism --secret-add --secret-rm --stop-grace-period --stop-signal --sysctl-add --sysctl-rm -t/--tty --ulimit-add --ulimit-rm --update-delay --update-failure-action --update-max-failure-ratio --update-monitor --update-order --update-parallelism -u/--user --with-registry-auth -w/--workdir',
  'stack config': '-c/--compose-file --skip-interpolation',
  'stack deploy':
    '-c/--compose-file -d/--detach --prune -q/--quiet --resolve-image --with-registry-auth',
  'stack ls': '--format',
  'stack ps': '-f/--filter --format --no-resolve --no-trunc -q/--quiet',
  'stack rm': '-d/--detach',
  'stack services': '-f/--filter --format -q/--quiet',
  'secret create': '-d/--driver -l/--label --template-driver',
  'secret inspect': '-f/--format --pretty',
  'secret ls': '-f/--filter --format -q/--quiet',
  'secret rm': '',
  'config create': '-l/--label --template-driver',
  'config inspect': '-f/--format --pretty',
  'config ls': '-f/--filter --format -q/--quiet',
  'config rm': '',
  'network connect': '--alias --driver-opt --gw-priority --ip --ip6 --link --link-local-ip',
  'network create':
    '--attachable --aux-address --config-from --config-only -d/--driver --gateway --ingress --internal --ip-range --ipam-driver --ipam-opt --ipv4 --ipv6 --label -o/--opt --scope --subnet',
  'network disconnect': '-f/--force',
  'network inspect': '-f/--format -v/--verbose',
  'network ls': '-f/--filter --format --no-trunc -q/--quiet',
  'network prune': '--filter -f/--force',
  'network rm': '-f/--force',
  'volume create':
    '--availability -d/--driver --group --label --limit-bytes -o/--opt --required-bytes --scope --secret --sharing --topology-preferred --topology-required --type',
  'volume inspect': '-f/--format',
  'volume ls': '--cluster -f/--filter --format -q/--quiet',
  'volume prune': '-a/--all --filter -f/--force',
  'volume rm': '-f/--force',
  'volume update': '--availability',
  'container attach': '--detach-keys --no-stdin --sig-proxy',
  'container commit': '-a/--author -c/--change -m/--message -p/--pause',
  'container cp': '-a/--archive -L/--follow-link -q/--quiet',
  'container create':
    '--add-host --annotation -a/--attach --blkio-weight --blkio-weight-device --cap-add --cap-drop --cgroup-parent --cgroupns --cidfile --cpu-count --cpu-percent --cpu-period --cpu-quota --cpu-rt-period --cpu-rt-runtime -c/--cpu-shares --cpus --cpuset-cpus --cpuset-mems --device --device-cgroup-rule --device-read-bps --device-read-iops --device-write-bps --device-write-iops --disable-content-trust --dns --dns-option --dns-search --domainname --entrypoint -e/--env --env-file --expose --gpus --group-add --health-cmd --health-interval --health-retries --health-start-interval --health-start-period --health-timeout -h/--hostname --init -i/--interactive --io-maxbandwidth --io-maxiops --ip --ip6 --ipc --isolation --kernel-memory -l/--label --label-file --link --link-local-ip --log-driver --log-opt --mac-address -m/--memory --memory-reservation --memory-swap --memory-swappiness --mount --name --network --network-alias --no-healthcheck --oom-kill-disable --oom-score-adj --pid --pids-limit --platform --privileged -p/--publish -P/--publish-all --pull -q/--quiet --read-only --restart --rm --runtime --security-opt --shm-size --stop-signal --stop-timeout --storage-opt --sysctl --tmpfs -t/--tty --ulimit --use-api-socket -u/--user --userns --uts -v/--volume --volume-driver --volumes-from -w/--workdir',
  'container diff': '',
  'container exec':
    '-d/--detach --detach-keys -e/--env --env-file -i/--interactive --privileged -t/--tty -u/--user -w/--workdir',
  'container export': '-o/--output',
  'container inspect': '-f/--format -s/--size',
  'container kill': '-s/--signal',
  'container logs': '--details -f/--follow --since -n/--tail -t/--timestamps --until',
  'container ls':
    '-a/--all -f/--filter --format -n/--last -l/--latest --no-trunc -q/--quiet -s/--size',
  'container pause': '',
  'container port': '',
  'container prune': '--filter -f/--force',
  'container rename': '',
  'container restart': '-s/--signal -t/--timeout',
  'container rm': '-f/--force -l/--link -v/--volumes',
  'container run':
    '--add-host --annotation -a/--attach --blkio-weight --blkio-weight-device --cap-add --cap-drop --cgroup-parent --cgroupns --cidfile --cpu-count --cpu-percent --cpu-period --cpu-quota --cpu-rt-period --cpu-rt-runtime -c/--cpu-shares --cpus --cpuset-cpus --cpuset-mems -d/--detach --detach-keys --device --device-cgroup-rule --device-read-bps --device-read-iops --device-write-bps --device-write-iops --disable-content-trust --dns --dns-option --dns-search --domainname --entrypoint -e/--env --env-file --expose --gpus --group-add --health-cmd --health-interval --health-retries --health-start-interval --health-start-period --health-timeout -h/--hostname --init -i/--interactive --io-maxbandwidth --io-maxiops --ip --ip6 --ipc --isolation --kernel-memory -l/--label --label-file --link --link-local-ip --log-driver --log-opt --mac-address -m/--memory --memory-reservation --memory-swap --memory-swappiness --mount --name --network --network-alias --no-healthcheck --oom-kill-disable --oom-score-adj --pid --pids-limit --platform --privileged -p/--publish -P/--publish-all --pull -q/--quiet --read-only --restart --rm --runtime --security-opt --shm-size --sig-proxy --stop-signal --stop-timeout --storage-opt --sysctl --tmpfs -t/--tty --ulimit --use-api-socket -u/--user --userns --uts -v/--volume --volume-driver --volumes-from -w/--workdir',
  'container start': '-a/--attach --checkpoint --checkpoint-dir --detach-keys -i/--interactive',
  'container stats': '-a/--all --format --no-stream --no-trunc',
  'container stop': '-s/--signal -t/--timeout',
  'container top': '',
  'container unpause': '',
  'container update':
    '--blkio-weight --cpu-period --cpu-quota --cpu-rt-period --cpu-rt-runtime -c/--cpu-shares --cpus --cpuset-cpus --cpuset-mems -m/--memory --memory-reservation --memory-swap --pids-limit --restart',
  'container wait': '',
  'image build':
    '--add-host --build-arg --cache-from --cgroup-parent --compress --cpu-period --cpu-quota -c/--cpu-shares --cpuset-cpus --cpuset-mems --disable-content-trust -f/--file --force-rm --iidfile --isolation --label -m/--memory --memory-swap --network --no-cache --platform --pull -q/--quiet --rm --security-opt --shm-size --squash -t/--tag --target --ulimit',
  'image history': '--format -H/--human --no-trunc --platform -q/--quiet',
  'image import': '-c/--change -m/--message --platform',
  'image inspect': '-f/--format --platform',
  'image load': '-i/--input --platform -q/--quiet',
  'image ls': '-a/--all --digests -f/--filter --format --no-trunc -q/--quiet --tree',
  'image prune': '-a/--all --filter -f/--force',
  'image pull': '-a/--all-tags --disable-content-trust --platform -q/--quiet',
  'image push': '-a/--all-tags --disable-content-trust --platform -q/--quiet',
  'image rm': '-f/--force --no-prune --platform',
  'image save': '-o/--output --platform',
  'image tag': '',
  'system df': '--format -v/--verbose',
  'system events': '-f/--filter --format --since --until',
  'system info': '-f/--format',
  'system prune': '-a/--all --filter -f/--force --volumes',
};

/** Why a command (no flag) or a flag is not there. A flag alone stands for all commands. */
const REASONS: Readonly<Record<string, string>> = {
  '--disable-content-trust': 'Notary trust has ended; docker itself takes it out',
  '--isolation': 'Windows',
  '--io-maxbandwidth': 'Windows',
  '--io-maxiops': 'Windows',
  '--cpu-count': 'Windows',
  '--cpu-percent': 'Windows',
  '--gpus': 'there is no way to a GPU in the runtime; refused in compose files too',
  '--use-api-socket':
    'experimental in docker 28: the socket and credentials of the client in the container',
  '--kernel-memory': 'gone from the API since 1.42',
  '--link-local-ip': 'addresses beside the subnet are not given out',
};

const OF_ONE: Readonly<Record<string, string>> = {
  'stack deploy --resolve-image': 'digests are looked up by the node that deploys, always',
  'stack deploy --with-registry-auth':
    'credentials of the client always go with the services that need them',
  'network connect --driver-opt': 'no driver has options of an endpoint',
  'network connect --gw-priority': 'the first network with a gateway is the way out',
  'network connect --link': 'names of a network do what links did',
  'network create --config-from':
    'settings are given in the network itself; refused with this sentence in the API',
  'network create --config-only':
    'settings are given in the network itself; refused with this sentence in the API',
  'network create --ingress':
    'there is no ingress network: published ports are answered by every node itself',
  'network create --ipam-driver': 'there is one',
  'network create --ipam-opt': 'the one there is has no options',
  'network create --ipv4': 'networks always have IPv4',
  'network create --scope': 'the driver says it: overlay is of the cluster, bridge of one node',
  'volume create --availability': 'CSI volumes of the cluster are not supported',
  'volume create --group': 'CSI volumes of the cluster are not supported',
  'volume create --limit-bytes': 'CSI volumes of the cluster are not supported',
  'volume create --required-bytes': 'CSI volumes of the cluster are not supported',
  'volume create --scope': 'CSI volumes of the cluster are not supported',
  'volume create --secret': 'CSI volumes of the cluster are not supported',
  'volume create --sharing': 'CSI volumes of the cluster are not supported',
  'volume create --topology-preferred': 'CSI volumes of the cluster are not supported',
  'volume create --topology-required': 'CSI volumes of the cluster are not supported',
  'volume create --type': 'CSI volumes of the cluster are not supported',
  'volume ls --cluster': 'CSI volumes of the cluster are not supported',
  'volume update': 'it changes CSI volumes of the cluster only',
  'container rm -l': 'links are names in /etc/hosts here, no objects of their own',
  'container rm --link': 'links are names in /etc/hosts here, no objects of their own',
  ...Object.fromEntries(
    ['history', 'import', 'inspect', 'load', 'push', 'rm', 'save'].map((verb) => [
      `image ${verb} --platform`,
      'a node keeps an image for one platform: there is nothing to choose from',
    ]),
  ),
  'image ls --tree': 'experimental; a node keeps an image for one platform',
  'image pull -a': 'not done: a tag is pulled at a time',
  'image pull --all-tags': 'not done: a tag is pulled at a time',
  'system df -v': 'not done: image ls, container ls --size and volume ls show the parts',
  'system df --verbose': 'not done: image ls, container ls --size and volume ls show the parts',
  'container start --checkpoint': 'checkpoints are not supported',
  'container start --checkpoint-dir': 'checkpoints are not supported',
};

interface Tree {
  name(): string;
  aliases(): readonly string[];
  readonly commands: readonly Tree[];
  readonly options: readonly {
    readonly long?: string | undefined;
    readonly short?: string | undefined;
  }[];
}

function commandOf(path: string): Tree | undefined {
  let at: Tree | undefined = program;
  for (const word of path.split(' ')) {
    at = at?.commands.find((known) => known.name() === word || known.aliases().includes(word));
  }
  return at;
}

/** A flag of Go's that is true unless given counts as there when its opposite is. */
function has(tree: Tree, flag: string): boolean {
  const opposite = flag.replace(/^--/, '--no-');
  return tree.options.some(({ long, short }) => [long, short].includes(flag) || long === opposite);
}

/** 'volume update', 'container run --gpus', 'container run -t' … that are not there. */
const MISSING: readonly string[] = Object.entries(DOCKER).flatMap(([path, flags]) => {
  const tree = commandOf(path);
  if (!tree) return [path];
  const names = flags.split(/[ /]/).filter(Boolean);
  return names.filter((flag) => !has(tree, flag)).map((flag) => `${path} ${flag}`);
});

const flagOf = (text: string): string => text.split(' ').at(-1) ?? '';

describe('tswarm beside docker', () => {
  it('has every command and flag, long and short, but those with a reason', () => {
    expect(MISSING.filter((one) => !(one in OF_ONE) && !(flagOf(one) in REASONS))).toEqual([]);
  });

  it('gives no reason for what is there, or was never asked for', () => {
    expect(Object.keys(OF_ONE).filter((one) => !MISSING.includes(one))).toEqual([]);
    const flags = new Set(MISSING.map(flagOf));
    expect(Object.keys(REASONS).filter((flag) => !flags.has(flag))).toEqual([]);
  });
});

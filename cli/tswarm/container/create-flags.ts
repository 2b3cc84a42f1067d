// The flags of `container run`, `create` and `update`: docker's names and notations, and what each sets in the Engine API's body. What is not a flag of
// docker's, or means nothing on Linux (Windows' io and cpu-count flags), is not here. Values are checked as far as their notation goes; what a node cannot do it
// says itself.
import {
  environment,
  environmentFile,
  integer,
  type JsonObject,
  labels,
  mount,
  ports,
} from '../service/values.ts';
import { type Body, type Flag, many, on, pairs, text, wait, whole } from './flag-setters.ts';
import { LIMITS, RIGHTS } from './limit-flags.ts';

const PROCESS: readonly Flag[] = [
  {
    flags: '-e, --env <name=value>',
    help: 'variable; NAME alone takes ours',
    isMany: true,
    set: ({ config }, values) => {
      config.Env = [...((config.Env as string[] | undefined) ?? []), ...environment(values)];
    },
  },
  {
    flags: '--entrypoint <program>',
    help: 'instead of the one of the image',
    set: ({ config }, [value = '']) => {
      config.Entrypoint = [value];
    },
  },
  {
    flags: '-u, --user <user>',
    help: 'as name or number, with :group',
    set: text('config', 'User'),
  },
  { flags: '-w, --workdir <folder>', help: 'where it starts', set: text('config', 'WorkingDir') },
  {
    flags: '--group-add <group>',
    help: 'further group',
    isMany: true,
    set: many('host', 'GroupAdd'),
  },
  { flags: '-h, --hostname <name>', help: 'host name', set: text('config', 'Hostname') },
  { flags: '--domainname <name>', help: 'domain name', set: text('config', 'Domainname') },
  {
    flags: '--init',
    help: 'with a small first process that ends what is left over',
    set: on('host', 'Init'),
  },
  { flags: '--stop-signal <signal>', help: 'what ends it', set: text('config', 'StopSignal') },
  {
    flags: '--stop-timeout <seconds>',
    help: 'before it is killed',
    set: whole('config', 'StopTimeout', -1),
  },
  { flags: '-l, --label <key=value>', help: 'label', isMany: true, set: pairs('config', 'Labels') },
  {
    flags: '--label-file <file>',
    help: 'labels, one a line',
    isMany: true,
    set: ({ config }, files) => {
      const read = labels(files.flatMap(environmentFile));
      config.Labels = { ...read, ...(config.Labels as object | undefined) };
    },
  },
  {
    flags: '--annotation <key=value>',
    help: 'for the runtime',
    isMany: true,
    set: pairs('host', 'Annotations'),
  },
  {
    flags: '--health-cmd <command>',
    help: 'what says whether it is well',
    set: ({ health }, [value = '']) => {
      health.Test = ['CMD-SHELL', value];
    },
  },
  { flags: '--health-interval <duration>', help: 'time between two checks', set: wait('Interval') },
  {
    flags: '--health-timeout <duration>',
    help: 'a check that takes longer has failed',
    set: wait('Timeout'),
  },
  {
    flags: '--health-start-period <duration>',
    help: 'in which failures do not count',
    set: wait('StartPeriod'),
  },
  {
    flags: '--health-start-interval <duration>',
    help: 'time between two checks in it',
    set: wait('StartInterval'),
  },
  {
    flags: '--health-retries <count>',
    help: 'failures until it is unhealthy',
    set: whole('health', 'Retries'),
  },
  {
    flags: '--no-healthcheck',
    help: 'not the one of the image',
    set: ({ health }) => {
      health.Test = ['NONE'];
    },
  },
];

const FILES: readonly Flag[] = [
  {
    flags: '-v, --volume <source:target>',
    help: 'volume or folder, with :ro',
    isMany: true,
    set: ({ config, host }, values) => {
      // A path alone is a volume without a name.
      const isBind = (value: string): boolean => value.includes(':');
      host.Binds = values.filter(isBind);
      const names = values.filter((value) => !isBind(value));
      if (names.length > 0) config.Volumes = Object.fromEntries(names.map((name) => [name, {}]));
    },
  },
  {
    flags: '--volume-driver <name>',
    help: 'of volumes that are made',
    set: text('host', 'VolumeDriver'),
  },
  {
    flags: '--volumes-from <container>',
    help: 'the same as another container, with :ro',
    isMany: true,
    set: many('host', 'VolumesFrom'),
  },
  {
    flags: '--mount <fields>',
    help: 'type=bind,source=/a,target=/b …',
    isMany: true,
    set: ({ host }, values) => {
      host.Mounts = values.map((value) => mount('mount', value));
    },
  },
  {
    flags: '--tmpfs <path>',
    help: 'in memory, with :options',
    isMany: true,
    set: ({ host }, values) => {
      host.Tmpfs = Object.fromEntries(
        values.map((value) => {
          const at = value.indexOf(':');
          return at < 0 ? [value, ''] : [value.slice(0, at), value.slice(at + 1)];
        }),
      );
    },
  },
  { flags: '--read-only', help: 'its root is not written to', set: on('host', 'ReadonlyRootfs') },
  {
    flags: '--log-driver <name>',
    help: 'where output goes',
    set: ({ host }, [value = '']) => {
      host.LogConfig = { ...(host.LogConfig as object | undefined), Type: value };
    },
  },
  {
    flags: '--log-opt <key=value>',
    help: 'of the log',
    isMany: true,
    set: ({ host }, values) => {
      host.LogConfig = { ...(host.LogConfig as object | undefined), Config: labels(values) };
    },
  },
];

const NETWORK: readonly Flag[] = [
  {
    flags: '-p, --publish <host:container>',
    help: 'port',
    isMany: true,
    set: ({ config, host }, values) => {
      const bindings: Record<string, JsonObject[]> = {};
      for (const port of values.flatMap(ports)) {
        const key = `${port.TargetPort}/${port.Protocol}`;
        const one = { HostIp: port.HostIP ?? '', HostPort: String(port.PublishedPort ?? '') };
        bindings[key] = [...(bindings[key] ?? []), one];
      }
      host.PortBindings = bindings;
      const open = Object.fromEntries(Object.keys(bindings).map((key) => [key, {}]));
      config.ExposedPorts = { ...(config.ExposedPorts as object | undefined), ...open };
    },
  },
  {
    flags: '-P, --publish-all',
    help: 'all ports of the image, anywhere',
    set: on('host', 'PublishAllPorts'),
  },
  {
    flags: '--expose <port>',
    help: 'port to other containers',
    isMany: true,
    set: ({ config }, values) => {
      const open = values.map((value) => [value.includes('/') ? value : `${value}/tcp`, {}]);
      config.ExposedPorts = {
        ...(config.ExposedPorts as object | undefined),
        ...Object.fromEntries(open),
      };
    },
  },
  {
    flags: '--network-alias <name>',
    help: 'further name in its network',
    isMany: true,
    set: many('endpoint', 'Aliases'),
  },
  {
    flags: '--ip <address>',
    help: 'IPv4 address in its network',
    set: ({ endpoint }, [value = '']) => {
      endpoint.IPAMConfig = { ...(endpoint.IPAMConfig as object | undefined), IPv4Address: value };
    },
  },
  {
    flags: '--ip6 <address>',
    help: 'IPv6 address in its network',
    set: ({ endpoint }, [value = '']) => {
      endpoint.IPAMConfig = { ...(endpoint.IPAMConfig as object | undefined), IPv6Address: value };
    },
  },
  {
    flags: '--mac-address <address>',
    help: 'of its interface',
    set: text('endpoint', 'MacAddress'),
  },
  {
    flags: '--link <container:alias>',
    help: 'name of another container',
    isMany: true,
    set: many('host', 'Links'),
  },
  {
    flags: '--add-host <name:address>',
    help: 'line of /etc/hosts',
    isMany: true,
    set: ({ host }, values) => {
      host.ExtraHosts = values.map((value) => value.replace(/^([^:=]+)=/, '$1:'));
    },
  },
  { flags: '--dns <address>', help: 'name server', isMany: true, set: many('host', 'Dns') },
  {
    flags: '--dns-option <option>',
    help: 'of resolv.conf',
    isMany: true,
    set: many('host', 'DnsOptions'),
  },
  {
    flags: '--dns-search <domain>',
    help: 'searched domain',
    isMany: true,
    set: many('host', 'DnsSearch'),
  },
];

const RESTART: Flag = {
  flags: '--restart <policy>',
  help: 'no, always, unless-stopped or on-failure[:times]',
  isUpdate: true,
  set: ({ host }, [value = ''], flag) => {
    const [name = '', times] = value.split(':');
    const MaximumRetryCount = times === undefined ? 0 : integer(flag, times);
    host.RestartPolicy = { Name: name, MaximumRetryCount };
  },
};

export const CREATE_FLAGS: readonly Flag[] = [
  ...PROCESS,
  ...LIMITS,
  ...RIGHTS,
  ...FILES,
  ...NETWORK,
  RESTART,
];

/** `--cpu-shares`: what commander calls it. */
function optionOf({ flags }: Flag): { readonly flag: string; readonly name: string } {
  const [, flag = ''] = /--([\w-]+)/.exec(flags) ?? [];
  return { flag, name: flag.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase()) };
}

/** The body that flags make of an empty one. */
export function bodyOf(flags: readonly Flag[], options: Readonly<Record<string, unknown>>): Body {
  const body: Body = { config: {}, host: {}, health: {}, endpoint: {} };
  const files = (options.envFile ?? []) as readonly string[];
  if (files.length > 0) body.config.Env = files.flatMap(environmentFile);
  for (const flag of flags) {
    const { flag: word, name } = optionOf(flag);
    // Commander keeps `--no-healthcheck` as healthcheck: false.
    const value = word.startsWith('no-')
      ? options[optionOf({ ...flag, flags: `--${word.slice(3)}` }).name] === false || undefined
      : options[name];
    if (value === undefined || value === false) continue;
    flag.set(body, Array.isArray(value) ? value : value === true ? [] : [String(value)], word);
  }
  return body;
}

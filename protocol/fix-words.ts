// The words of `tswarm why` and of the dashboard for what would help. The codes are listed in manager/control/why-fixes.ts; one that is not known here is shown as it is, so that
// an older client still says something.
type Json = Readonly<Record<string, unknown>>;

type Words = (values: readonly string[]) => string;

const list = (values: readonly string[]): string => values.join(', ');

/** As a shell takes it as one word. */
function quoted(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/** "700 MiB", "1.5 GiB". */
export function mebibytes(bytes: number): string {
  const gibibytes = bytes / 2 ** 30;
  if (gibibytes >= 1) return `${Math.round(gibibytes * 10) / 10} GiB`;
  return `${Math.round(bytes / 2 ** 20)} MiB`;
}

const CPU = 1e9;
const MEBIBYTE = 2 ** 20;

/** What a node has of one kind (cpu in billionths, memory in bytes, others as they are counted) and what of it is free. */
interface Share {
  readonly kind: string;
  readonly free: number;
  readonly total: number;
}

function shareText({ kind, free, total }: Share): string {
  if (kind === 'cpu') return `${floorCpus(free)} of ${total / CPU} cpus free`;
  if (kind === 'memory') return `${mebibytes(free)} of ${mebibytes(total)} of memory free`;
  return `too few ${kind} free`;
}

/** Never more than there is. */
function floorCpus(nanoCpus: number): number {
  return Math.floor((nanoCpus / CPU) * 100) / 100;
}

/** The flag that asks for no more than is free; '' = there is nothing that could be asked for. */
function flagFor({ kind, free }: Share): string {
  if (kind === 'cpu') return floorCpus(free) > 0 ? `--reserve-cpu ${floorCpus(free)}` : '';
  if (kind !== 'memory' || free < MEBIBYTE) return '';
  return `--reserve-memory ${Math.floor(free / MEBIBYTE)}m`;
}

function lowerReservation([service = '', host = '', ...rest]: readonly string[]): string {
  const shares: Share[] = [];
  for (let at = 0; at + 2 < rest.length; at += 3) {
    shares.push({ kind: rest[at] ?? '', free: Number(rest[at + 1]), total: Number(rest[at + 2]) });
  }
  const near = `${host} comes nearest (${list(shares.map(shareText))})`;
  const flags = shares.map(flagFor);
  if (flags.includes('')) return `${near}: free some of it, or reserve less`;
  return `${near}; reserve less: tswarm service update ${flags.join(' ')} ${service}`;
}

function addNode(values: readonly string[]): string {
  const needs: string[] = [];
  for (let at = 0; at + 1 < values.length; at += 2) {
    const [kind, amount] = [values[at] ?? '', Number(values[at + 1])];
    if (kind === 'cpu') needs.push(`${amount / CPU} cpus`);
    if (kind === 'memory') needs.push(`${mebibytes(amount)} of memory`);
  }
  const what = needs.length === 0 ? '' : ` with ${needs.join(' and ')}`;
  return `add a node${what}: tswarm join-token worker`;
}

const WORDS: Readonly<Record<string, Words>> = {
  'bring-back-data': (v) =>
    `start ${v[0]} again; if what is in volume ${v[1]} can be given up: tswarm node rm --force ${v[0]}`,
  'bring-back-node': (v) => `start ${list(v)} again, or remove it: tswarm node rm ${v[0] ?? ''}`,
  'activate-node': (v) =>
    `let ${list(v)} take tasks: tswarm node update --availability active ${v[0] ?? ''}`,
  'lower-reservation': lowerReservation,
  'add-node': addNode,
  'label-node': ([host = '', label = '', value = '']) =>
    `label a node: tswarm node update --label-add ${quoted(`${label}=${value}`)} ${host}`,
  'change-constraint': ([text = '', service = '']) =>
    `drop the constraint: tswarm service update --constraint-rm ${quoted(text)} ${service}`,
  'add-platform': (v) => `add a node with ${list(v)}, or use an image for the nodes there are`,
  'free-port': ([port = '', holder = '', service = '', target = '', protocol = 'tcp']) =>
    `port ${port} is taken by service ${holder}; take any free one: tswarm service update --publish-rm ` +
    `${target}/${protocol} --publish-add target=${target},protocol=${protocol},mode=host ${service}`,
  'raise-max-replicas': ([max = '', service = '', needed = '']) =>
    `allow more than ${max} on a node: tswarm service update --replicas-max-per-node ${needed} ${service}`,
  'add-plugin': ([detail = '']) => `use a driver that the nodes have (${detail})`,
  'look-at-service': ([name = '']) => `see what ${name} waits for: tswarm why ${name}`,
  'look-at-logs': ([name = '']) => `see what it said: tswarm service logs ${name}`,
  'resume-update': ([name = '']) =>
    `once it is mended, go on: tswarm service update --resume ${name}`,
  rollback: ([name = '']) => `go back to the version before: tswarm service rollback ${name}`,
  'add-address': ([name = '']) => `give network ${name} a larger subnet, or remove tasks from it`,
};

export function fixText(fix: Json): string {
  const values = (fix.Values as readonly string[] | undefined) ?? [];
  const code = String(fix.Code ?? '');
  return WORDS[code]?.(values) ?? [code, ...values].join(' ');
}

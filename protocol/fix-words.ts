// The words of `tswarm why` and of the dashboard for what would help. The codes are listed in manager/control/why-fixes.ts; one that is not known here is shown as it is, so that
// an older client still says something.
type Json = Readonly<Record<string, unknown>>;

type Words = (values: readonly string[]) => string;

const list = (values: readonly string[]): string => values.join(', ');

const WORDS: Readonly<Record<string, Words>> = {
  'bring-back-node': (v) => `start ${list(v)} again, or remove it: tswarm node rm ${v[0] ?? ''}`,
  'activate-node': (v) =>
    `let ${list(v)} take tasks: tswarm node update --availability active ${v[0] ?? ''}`,
  'lower-reservation': () =>
    'reserve less: tswarm service update --reserve-cpu … --reserve-memory … SERVICE',
  'add-node': () => 'add a node: tswarm join-token worker',
  'label-node': ([host = '', label = '', value = '']) =>
    `label a node: tswarm node update --label-add ${label}=${value} ${host}`,
  'change-constraint': ([text = '']) =>
    `change the constraint: tswarm service update --constraint-rm '${text}' SERVICE`,
  'add-platform': (v) => `add a node with ${list(v)}, or use an image for the nodes there are`,
  'free-port': ([port = '', service = '']) =>
    `port ${port} is taken by service ${service}: publish another one, or in ingress mode`,
  'raise-max-replicas': ([max = '']) =>
    `allow more than ${max} on a node: tswarm service update --replicas-max-per-node … SERVICE`,
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

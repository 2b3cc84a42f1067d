// The calls of /tswarm/v1: path, who may make them, parameters, bodies, answers. One definition for all that speaks of them: the router and what it refuses
// (openapi/bind.ts), the roles (access/rules.ts), OpenAPI (openapi/document.ts), the types of the client (generated/calls.ts). A handler without a
// definition, or the other way round, ends the start of the gateway. Names of schemas are those of types.ts; `engine:X` is the Engine API's form of a
// message of protocol/proto.
import type { Role } from '#protocol/access';
import {
  count,
  EMPTY,
  FILTERS,
  flag,
  get,
  json,
  LINES,
  type Operation,
  type Parameter,
  post,
  remove,
  STACK,
  stream,
  text,
  texts,
} from './operation.ts';
import { OBJECT_OPERATIONS } from './operations-objects.ts';

export type { Operation, Parameter, ParameterKind } from './operation.ts';

const DEPLOY = {
  prune: flag('remove services that are not in the specification'),
  forceRecreate: flag('replace all tasks'),
  recreate: texts('with forceRecreate: only tasks of these services'),
  expectedState: text('state of a plan: refused when something has changed since'),
};
const TO_VERSION = text('`until` of a version; unless given, of the newest');
const LOGS = {
  follow: flag('go on with what comes'),
  tail: text('lines per container from the end, or "all"'),
  since: text('RFC 3339 or Unix seconds'),
  until: text('RFC 3339 or Unix seconds'),
  timestamps: flag('accepted and without effect: each line has its time'),
  marks: flag(
    'a line with `missing` and an empty text for each node whose logs break off or cannot be had',
  ),
};

const CLUSTER: readonly Operation[] = [
  get('/cluster', {
    id: 'getCluster',
    role: 'viewer',
    summary: 'Where this node stands with its cluster',
    query: { wait: flag('wait while the node is just starting') },
    answer: json('ClusterInfo'),
  }),
  post('/cluster/init', {
    id: 'initCluster',
    role: 'admin',
    summary: 'Make a cluster with this node as its manager',
    body: 'InitRequest',
    isBodyOptional: true,
    answer: json('ClusterInfo'),
  }),
  post('/cluster/join', {
    id: 'joinCluster',
    role: 'admin',
    summary: 'Join a cluster',
    body: 'JoinRequest',
    answer: json('ClusterInfo'),
  }),
  post('/cluster/leave', {
    id: 'leaveCluster',
    role: 'admin',
    summary: 'Leave the cluster',
    query: { force: flag('also as a manager') },
    answer: EMPTY,
  }),
  post('/cluster/update', {
    id: 'updateCluster',
    role: 'admin',
    summary: 'Change settings; rotate tokens and keys',
    body: 'UpdateRequest',
    answer: json('ClusterInfo'),
  }),
  post('/cluster/unlock', {
    id: 'unlockManager',
    role: 'admin',
    summary: 'Give the manager on this node its key',
    body: 'UnlockKey',
    answer: EMPTY,
  }),
  get('/cluster/unlock-key', {
    id: 'getUnlockKey',
    role: 'admin',
    summary: 'The key that locked managers need',
    answer: json('UnlockKey'),
  }),
  get('/cluster/backup', {
    id: 'backupCluster',
    role: 'admin',
    summary: 'The state of the cluster as a file',
    answer: stream('application/octet-stream'),
  }),
  post('/cluster/restore', {
    id: 'restoreCluster',
    role: 'admin',
    summary: 'Make a cluster from a backup; X-Unlock-Key: the key of a locked one',
    query: { listenAddr: text('host:port'), advertiseAddr: text('host:port') },
    upload: 'application/octet-stream',
    answer: json('ClusterInfo'),
  }),
  get('/history', {
    id: 'getHistory',
    role: 'viewer',
    summary: 'The last changes, newest first',
    query: { limit: count('rows, 100 unless given') },
    answer: json('HistoryRow[]'),
  }),
  get('/events', {
    id: 'streamEvents',
    role: 'viewer',
    summary: 'All objects, then every change, as server-sent events that can be resumed',
    query: { since: text('index behind which to go on; the header Last-Event-ID says the same') },
    answer: stream('text/event-stream'),
  }),
  get('/network/check', {
    id: 'checkNetwork',
    role: 'operator',
    summary: 'The ways from this node to the others',
    answer: json('engine:NetworkCheck'),
  }),
  get('/topology', {
    id: 'getTopology',
    role: 'viewer',
    summary: 'What runs where, and over which networks',
    query: { stack: STACK },
    answer: json('Topology'),
  }),
  get('/exec', {
    id: 'exec',
    role: 'operator',
    summary:
      'A program in a container of any node; a WebSocket with the subprotocol tswarm.exec.v1',
    query: {
      task: text('id of the task whose container it is'),
      container: text('id or name, with @node where a name is not enough'),
      command: texts('the words of the command; a shell unless given'),
      tty: flag('with a terminal, true unless given'),
      user: text('name or number, as in the image unless given'),
      workdir: text('folder, as in the image unless given'),
      width: count('columns of the terminal'),
      height: count('rows of the terminal'),
    },
    answer: { status: 101, schema: 'ExecNotice', type: 'application/octet-stream' },
  }),
  get('/why', {
    id: 'why',
    role: 'viewer',
    summary: 'Why a service, a task or a node is as it is',
    query: { id: text('id or name'), kind: text('service, task or node') },
    answer: json('engine:WhyResponse'),
  }),
];

const STACKS: readonly Operation[] = [
  get('/stacks', {
    id: 'listStacks',
    role: 'viewer',
    summary: 'Stacks',
    answer: json('StackSummary[]'),
    pages: { by: ['id'] },
  }),
  get('/stacks/{name}', {
    id: 'getStack',
    role: 'operator',
    summary: 'A stack with its project and all of its objects',
    answer: json('StackObjects'),
  }),
  remove('/stacks/{name}', {
    id: 'removeStack',
    role: 'operator',
    summary: 'Remove a stack',
    query: { volumes: flag('its volumes as well, with their data') },
    answer: json('RemoveResult'),
  }),
  post('/stacks/{name}/deploy', {
    id: 'deployStack',
    role: 'operator',
    summary: 'Make a stack what the specification says, in one change',
    query: DEPLOY,
    body: 'engine:StackSpec',
    answer: json('DeployResult'),
  }),
  post('/stacks/{name}/plan', {
    id: 'planStack',
    role: 'operator',
    summary: 'What a deployment would do; changes nothing',
    query: DEPLOY,
    body: 'engine:StackSpec',
    answer: json('StackPlan'),
  }),
  get('/stacks/{name}/versions', {
    id: 'listStackVersions',
    role: 'viewer',
    summary: 'What a stack can be rolled back to, newest first',
    answer: json('StackVersion[]'),
  }),
  post('/stacks/{name}/rollback', {
    id: 'rollBackStack',
    role: 'operator',
    summary: 'All services of a stack as they were until a moment, in one change',
    query: { to: TO_VERSION, expectedState: DEPLOY.expectedState },
    answer: json('DeployResult'),
  }),
  post('/stacks/{name}/rollback/plan', {
    id: 'planStackRollback',
    role: 'operator',
    summary: 'What that would do; changes nothing',
    query: { to: TO_VERSION },
    answer: json('ShownPlan'),
  }),
  get('/stacks/{name}/compose', {
    id: 'getCompose',
    role: 'operator',
    summary: 'The project of a stack as a compose file',
    answer: json('ComposeSource'),
  }),
  post('/compose/plan', {
    id: 'planCompose',
    role: 'operator',
    summary: 'What is wrong with a compose file, and what its deployment would do',
    query: DEPLOY,
    body: 'ComposeSource',
    answer: json('ComposePlan'),
  }),
  post('/compose/deploy', {
    id: 'deployCompose',
    role: 'operator',
    summary: 'Deploy a compose file that names no other files',
    query: DEPLOY,
    body: 'ComposeSource',
    answer: json('DeployResult'),
  }),
  get('/stacks/{name}/watch', {
    id: 'watchStack',
    role: 'viewer',
    summary: 'The objects of a stack, then their changes',
    answer: stream(LINES, 'WatchLine'),
  }),
  get('/stacks/{name}/logs', {
    id: 'stackLogs',
    role: 'viewer',
    summary: 'Logs of the containers of a stack',
    query: { ...LOGS, service: texts('only of these services') },
    answer: stream(LINES, 'LogLine'),
  }),
  get('/stacks/{name}/history', {
    id: 'getStackHistory',
    role: 'viewer',
    summary: 'Of the last changes those of this stack and its objects, newest first',
    query: {
      limit: count('of the last changes of the cluster so many are looked at, 100 unless given'),
    },
    answer: json('HistoryRow[]'),
  }),
  get('/logs', {
    id: 'logs',
    role: 'viewer',
    summary: 'Logs of one stack, service or task',
    query: { ...LOGS, stack: text('name'), service: text('id or name'), task: text('id') },
    answer: stream(LINES, 'LogLine'),
  }),
];

const list = (
  name: string,
  role: Role,
  schema: string,
  more: Readonly<Record<string, Parameter>> = {},
): Operation =>
  get(`/${name}`, {
    id: `list${name.charAt(0).toUpperCase()}${name.slice(1)}`,
    role,
    summary: `${name.charAt(0).toUpperCase()}${name.slice(1)} of the cluster`,
    query: { filters: FILTERS, ...more },
    answer: json(`engine:${schema}[]`),
    pages: { by: ['ID'] },
  });

const OBJECTS: readonly Operation[] = [
  list('services', 'viewer', 'Service', { stack: STACK }),
  list('tasks', 'viewer', 'Task', {
    stack: STACK,
    service: texts('of these services'),
    node: texts('on these nodes'),
  }),
  list('nodes', 'viewer', 'Node'),
  list('networks', 'viewer', 'Network', { stack: STACK }),
  list('volumes', 'viewer', 'Volume', { stack: STACK }),
  list('secrets', 'viewer', 'Secret', { stack: STACK }),
  list('configs', 'operator', 'Config', { stack: STACK }),
  post('/services/action', {
    id: 'actOnServices',
    role: 'operator',
    summary: 'Start, stop, pause, restart or scale services',
    body: 'ServiceAction',
    answer: json('IndexAnswer'),
  }),
  get('/services/{id}', {
    id: 'getService',
    role: 'viewer',
    summary: 'A service',
    answer: json('engine:Service'),
  }),
  post('/services/{id}/update', {
    id: 'updateService',
    role: 'operator',
    summary: 'A whole new specification, or a roll back',
    query: {
      version: count('Version.Index that was read'),
      rollback: text('"previous", or a revision; then there is no body'),
    },
    body: 'engine:ServiceSpec',
    isBodyOptional: true,
    answer: json('engine:Service'),
  }),
  post('/services/{id}/rollout', {
    id: 'rollout',
    role: 'operator',
    summary: 'Halt, resume or rebalance',
    query: { action: text('pause, resume or rebalance') },
    answer: json('RolloutResult'),
  }),
  get('/services/{id}/revisions', {
    id: 'listRevisions',
    role: 'viewer',
    summary: 'Earlier specifications of a service',
    answer: json('engine:ServiceRevision[]'),
  }),
];

const ACCESS: readonly Operation[] = [
  get('/access', {
    id: 'whoAmI',
    role: 'viewer',
    summary: 'Who asks, and with which role',
    answer: json('WhoAmI'),
  }),
  get('/ca', {
    id: 'getRootCertificate',
    role: 'viewer',
    isOpen: true,
    summary: 'The root certificate, to be compared with the digest in a token',
    answer: stream('application/x-pem-file'),
  }),
  get('/credentials', {
    id: 'listCredentials',
    role: 'admin',
    summary: 'Tokens and client certificates, without their secrets',
    answer: json('CredentialInfo[]'),
    pages: { by: ['id'] },
  }),
  remove('/credentials/{id}', {
    id: 'removeCredential',
    role: 'admin',
    summary: 'Take a token or a certificate back',
    answer: EMPTY,
  }),
  post('/tokens', {
    id: 'createToken',
    role: 'admin',
    summary: 'Make a token; this is the only time that it is shown',
    body: 'TokenRequest',
    answer: json('NewToken', 201),
  }),
  post('/certificates', {
    id: 'createCertificate',
    role: 'admin',
    summary: 'Sign a client certificate',
    body: 'CertificateRequest',
    answer: json('NewCertificate', 201),
  }),
  get('/audit', {
    id: 'getAudit',
    role: 'admin',
    summary: 'What was changed through this node and what was refused, newest first',
    query: { limit: count('1 to 1000, 100 unless given') },
    answer: json('AuditRow[]'),
  }),
  post('/dashboard/links', {
    id: 'createDashboardLink',
    role: 'admin',
    summary: 'A link that signs a browser in once',
    body: 'LinkRequest',
    isBodyOptional: true,
    answer: json('DashboardLink', 201),
  }),
  get('/openapi.json', {
    id: 'getOpenApi',
    role: 'viewer',
    summary: 'This description',
    answer: json('engine:OpenApi'),
  }),
];

export const OPERATIONS: readonly Operation[] = [
  ...CLUSTER,
  ...STACKS,
  ...OBJECTS,
  ...OBJECT_OPERATIONS,
  ...ACCESS,
];

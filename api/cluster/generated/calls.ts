// Generated from api/cluster/operations.ts by `npm run gen`. Do not edit.
import type { EngineJson } from '#protocol/engine';
import type { AuditRow, CertificateRequest, ClusterInfo, ComposePlan, ComposeSource, ContainerStats, CreatedObject, CredentialInfo, DashboardLink, DeployResult, ExecNotice, HistoryRow, ImageList, IndexAnswer, InitRequest, JoinRequest, LinkRequest, LocalVolumeList, LogLine, NewCertificate, NewToken, NodeLeftover, RemoveResult, RolloutResult, ServiceAction, ShownPlan, StackObjects, StackPlan, StackSummary, StackVersion, StatsList, TokenRequest, Topology, UnlockKey, UpdateRequest, WatchLine, WhoAmI } from '../types.ts';

/** What each call of /tswarm/v1 is given and answers: of a stream of lines, each line; `never` for other streams and files. */
export interface ClusterCalls {
  'GET /tswarm/v1/cluster': {
    readonly params: {  };
    readonly query: { readonly wait?: boolean | undefined };
    readonly body: undefined;
    readonly answer: ClusterInfo;
  };
  'POST /tswarm/v1/cluster/init': {
    readonly params: {  };
    readonly query: {  };
    readonly body: InitRequest;
    readonly answer: ClusterInfo;
  };
  'POST /tswarm/v1/cluster/join': {
    readonly params: {  };
    readonly query: {  };
    readonly body: JoinRequest;
    readonly answer: ClusterInfo;
  };
  'POST /tswarm/v1/cluster/leave': {
    readonly params: {  };
    readonly query: { readonly force?: boolean | undefined };
    readonly body: undefined;
    readonly answer: undefined;
  };
  'POST /tswarm/v1/cluster/update': {
    readonly params: {  };
    readonly query: {  };
    readonly body: UpdateRequest;
    readonly answer: ClusterInfo;
  };
  'POST /tswarm/v1/cluster/unlock': {
    readonly params: {  };
    readonly query: {  };
    readonly body: UnlockKey;
    readonly answer: undefined;
  };
  'GET /tswarm/v1/cluster/unlock-key': {
    readonly params: {  };
    readonly query: {  };
    readonly body: undefined;
    readonly answer: UnlockKey;
  };
  'GET /tswarm/v1/cluster/backup': {
    readonly params: {  };
    readonly query: {  };
    readonly body: undefined;
    readonly answer: never;
  };
  'POST /tswarm/v1/cluster/restore': {
    readonly params: {  };
    readonly query: { readonly listenAddr?: string | undefined; readonly advertiseAddr?: string | undefined };
    readonly body: undefined;
    readonly answer: ClusterInfo;
  };
  'GET /tswarm/v1/history': {
    readonly params: {  };
    readonly query: { readonly limit?: number | string | undefined };
    readonly body: undefined;
    readonly answer: readonly HistoryRow[];
  };
  'GET /tswarm/v1/events': {
    readonly params: {  };
    readonly query: { readonly since?: string | undefined };
    readonly body: undefined;
    readonly answer: never;
  };
  'GET /tswarm/v1/network/check': {
    readonly params: {  };
    readonly query: {  };
    readonly body: undefined;
    readonly answer: EngineJson;
  };
  'GET /tswarm/v1/topology': {
    readonly params: {  };
    readonly query: { readonly stack?: string | undefined };
    readonly body: undefined;
    readonly answer: Topology;
  };
  'GET /tswarm/v1/exec': {
    readonly params: {  };
    readonly query: { readonly task?: string | undefined; readonly container?: string | undefined; readonly command?: string | readonly string[] | undefined; readonly tty?: boolean | undefined; readonly user?: string | undefined; readonly workdir?: string | undefined; readonly width?: number | string | undefined; readonly height?: number | string | undefined };
    readonly body: undefined;
    readonly answer: ExecNotice;
  };
  'GET /tswarm/v1/why': {
    readonly params: {  };
    readonly query: { readonly id?: string | undefined; readonly kind?: string | undefined };
    readonly body: undefined;
    readonly answer: EngineJson;
  };
  'GET /tswarm/v1/stacks': {
    readonly params: {  };
    readonly query: {  };
    readonly body: undefined;
    readonly answer: readonly StackSummary[];
  };
  'GET /tswarm/v1/stacks/{name}': {
    readonly params: { readonly name: string };
    readonly query: {  };
    readonly body: undefined;
    readonly answer: StackObjects;
  };
  'DELETE /tswarm/v1/stacks/{name}': {
    readonly params: { readonly name: string };
    readonly query: { readonly volumes?: boolean | undefined };
    readonly body: undefined;
    readonly answer: RemoveResult;
  };
  'POST /tswarm/v1/stacks/{name}/deploy': {
    readonly params: { readonly name: string };
    readonly query: { readonly prune?: boolean | undefined; readonly forceRecreate?: boolean | undefined; readonly recreate?: string | readonly string[] | undefined; readonly expectedState?: string | undefined };
    readonly body: EngineJson;
    readonly answer: DeployResult;
  };
  'POST /tswarm/v1/stacks/{name}/plan': {
    readonly params: { readonly name: string };
    readonly query: { readonly prune?: boolean | undefined; readonly forceRecreate?: boolean | undefined; readonly recreate?: string | readonly string[] | undefined; readonly expectedState?: string | undefined };
    readonly body: EngineJson;
    readonly answer: StackPlan;
  };
  'GET /tswarm/v1/stacks/{name}/versions': {
    readonly params: { readonly name: string };
    readonly query: {  };
    readonly body: undefined;
    readonly answer: readonly StackVersion[];
  };
  'POST /tswarm/v1/stacks/{name}/rollback': {
    readonly params: { readonly name: string };
    readonly query: { readonly to?: string | undefined; readonly expectedState?: string | undefined };
    readonly body: undefined;
    readonly answer: DeployResult;
  };
  'POST /tswarm/v1/stacks/{name}/rollback/plan': {
    readonly params: { readonly name: string };
    readonly query: { readonly to?: string | undefined };
    readonly body: undefined;
    readonly answer: ShownPlan;
  };
  'GET /tswarm/v1/stacks/{name}/compose': {
    readonly params: { readonly name: string };
    readonly query: {  };
    readonly body: undefined;
    readonly answer: ComposeSource;
  };
  'POST /tswarm/v1/compose/plan': {
    readonly params: {  };
    readonly query: { readonly prune?: boolean | undefined; readonly forceRecreate?: boolean | undefined; readonly recreate?: string | readonly string[] | undefined; readonly expectedState?: string | undefined };
    readonly body: ComposeSource;
    readonly answer: ComposePlan;
  };
  'POST /tswarm/v1/compose/deploy': {
    readonly params: {  };
    readonly query: { readonly prune?: boolean | undefined; readonly forceRecreate?: boolean | undefined; readonly recreate?: string | readonly string[] | undefined; readonly expectedState?: string | undefined };
    readonly body: ComposeSource;
    readonly answer: DeployResult;
  };
  'GET /tswarm/v1/stacks/{name}/watch': {
    readonly params: { readonly name: string };
    readonly query: {  };
    readonly body: undefined;
    readonly answer: WatchLine;
  };
  'GET /tswarm/v1/stacks/{name}/logs': {
    readonly params: { readonly name: string };
    readonly query: { readonly follow?: boolean | undefined; readonly tail?: string | undefined; readonly since?: string | undefined; readonly until?: string | undefined; readonly timestamps?: boolean | undefined; readonly marks?: boolean | undefined; readonly service?: string | readonly string[] | undefined };
    readonly body: undefined;
    readonly answer: LogLine;
  };
  'GET /tswarm/v1/stacks/{name}/history': {
    readonly params: { readonly name: string };
    readonly query: { readonly limit?: number | string | undefined };
    readonly body: undefined;
    readonly answer: readonly HistoryRow[];
  };
  'GET /tswarm/v1/logs': {
    readonly params: {  };
    readonly query: { readonly follow?: boolean | undefined; readonly tail?: string | undefined; readonly since?: string | undefined; readonly until?: string | undefined; readonly timestamps?: boolean | undefined; readonly marks?: boolean | undefined; readonly stack?: string | undefined; readonly service?: string | undefined; readonly task?: string | undefined };
    readonly body: undefined;
    readonly answer: LogLine;
  };
  'GET /tswarm/v1/services': {
    readonly params: {  };
    readonly query: { readonly filters?: string | undefined; readonly stack?: string | undefined };
    readonly body: undefined;
    readonly answer: EngineJson[];
  };
  'GET /tswarm/v1/tasks': {
    readonly params: {  };
    readonly query: { readonly filters?: string | undefined; readonly stack?: string | undefined; readonly service?: string | readonly string[] | undefined; readonly node?: string | readonly string[] | undefined };
    readonly body: undefined;
    readonly answer: EngineJson[];
  };
  'GET /tswarm/v1/nodes': {
    readonly params: {  };
    readonly query: { readonly filters?: string | undefined };
    readonly body: undefined;
    readonly answer: EngineJson[];
  };
  'GET /tswarm/v1/networks': {
    readonly params: {  };
    readonly query: { readonly filters?: string | undefined; readonly stack?: string | undefined };
    readonly body: undefined;
    readonly answer: EngineJson[];
  };
  'GET /tswarm/v1/volumes': {
    readonly params: {  };
    readonly query: { readonly filters?: string | undefined; readonly stack?: string | undefined };
    readonly body: undefined;
    readonly answer: EngineJson[];
  };
  'GET /tswarm/v1/secrets': {
    readonly params: {  };
    readonly query: { readonly filters?: string | undefined; readonly stack?: string | undefined };
    readonly body: undefined;
    readonly answer: EngineJson[];
  };
  'GET /tswarm/v1/configs': {
    readonly params: {  };
    readonly query: { readonly filters?: string | undefined; readonly stack?: string | undefined };
    readonly body: undefined;
    readonly answer: EngineJson[];
  };
  'POST /tswarm/v1/services/action': {
    readonly params: {  };
    readonly query: {  };
    readonly body: ServiceAction;
    readonly answer: IndexAnswer;
  };
  'GET /tswarm/v1/services/{id}': {
    readonly params: { readonly id: string };
    readonly query: {  };
    readonly body: undefined;
    readonly answer: EngineJson;
  };
  'POST /tswarm/v1/services/{id}/update': {
    readonly params: { readonly id: string };
    readonly query: { readonly version?: number | string | undefined; readonly rollback?: string | undefined };
    readonly body: EngineJson;
    readonly answer: EngineJson;
  };
  'POST /tswarm/v1/services/{id}/rollout': {
    readonly params: { readonly id: string };
    readonly query: { readonly action?: string | undefined };
    readonly body: undefined;
    readonly answer: RolloutResult;
  };
  'GET /tswarm/v1/services/{id}/revisions': {
    readonly params: { readonly id: string };
    readonly query: {  };
    readonly body: undefined;
    readonly answer: EngineJson[];
  };
  'GET /tswarm/v1/nodes/{id}': {
    readonly params: { readonly id: string };
    readonly query: {  };
    readonly body: undefined;
    readonly answer: EngineJson;
  };
  'GET /tswarm/v1/tasks/{id}': {
    readonly params: { readonly id: string };
    readonly query: {  };
    readonly body: undefined;
    readonly answer: EngineJson;
  };
  'GET /tswarm/v1/networks/{id}': {
    readonly params: { readonly id: string };
    readonly query: {  };
    readonly body: undefined;
    readonly answer: EngineJson;
  };
  'GET /tswarm/v1/volumes/{id}': {
    readonly params: { readonly id: string };
    readonly query: {  };
    readonly body: undefined;
    readonly answer: EngineJson;
  };
  'GET /tswarm/v1/secrets/{id}': {
    readonly params: { readonly id: string };
    readonly query: {  };
    readonly body: undefined;
    readonly answer: EngineJson;
  };
  'GET /tswarm/v1/configs/{id}': {
    readonly params: { readonly id: string };
    readonly query: {  };
    readonly body: undefined;
    readonly answer: EngineJson;
  };
  'POST /tswarm/v1/services': {
    readonly params: {  };
    readonly query: {  };
    readonly body: EngineJson;
    readonly answer: CreatedObject;
  };
  'DELETE /tswarm/v1/services/{id}': {
    readonly params: { readonly id: string };
    readonly query: {  };
    readonly body: undefined;
    readonly answer: IndexAnswer;
  };
  'POST /tswarm/v1/networks': {
    readonly params: {  };
    readonly query: {  };
    readonly body: EngineJson;
    readonly answer: CreatedObject;
  };
  'DELETE /tswarm/v1/networks/{id}': {
    readonly params: { readonly id: string };
    readonly query: {  };
    readonly body: undefined;
    readonly answer: IndexAnswer;
  };
  'POST /tswarm/v1/secrets': {
    readonly params: {  };
    readonly query: {  };
    readonly body: EngineJson;
    readonly answer: CreatedObject;
  };
  'DELETE /tswarm/v1/secrets/{id}': {
    readonly params: { readonly id: string };
    readonly query: {  };
    readonly body: undefined;
    readonly answer: IndexAnswer;
  };
  'POST /tswarm/v1/configs': {
    readonly params: {  };
    readonly query: {  };
    readonly body: EngineJson;
    readonly answer: CreatedObject;
  };
  'DELETE /tswarm/v1/configs/{id}': {
    readonly params: { readonly id: string };
    readonly query: {  };
    readonly body: undefined;
    readonly answer: IndexAnswer;
  };
  'DELETE /tswarm/v1/volumes/{id}': {
    readonly params: { readonly id: string };
    readonly query: {  };
    readonly body: undefined;
    readonly answer: IndexAnswer;
  };
  'POST /tswarm/v1/nodes/{id}/update': {
    readonly params: { readonly id: string };
    readonly query: { readonly version?: number | string | undefined };
    readonly body: EngineJson;
    readonly answer: IndexAnswer;
  };
  'DELETE /tswarm/v1/nodes/{id}': {
    readonly params: { readonly id: string };
    readonly query: { readonly force?: boolean | undefined };
    readonly body: undefined;
    readonly answer: IndexAnswer;
  };
  'GET /tswarm/v1/images': {
    readonly params: {  };
    readonly query: {  };
    readonly body: undefined;
    readonly answer: ImageList;
  };
  'GET /tswarm/v1/local-volumes': {
    readonly params: {  };
    readonly query: { readonly node?: string | readonly string[] | undefined };
    readonly body: undefined;
    readonly answer: LocalVolumeList;
  };
  'GET /tswarm/v1/stats': {
    readonly params: {  };
    readonly query: { readonly stack?: string | undefined; readonly service?: string | readonly string[] | undefined; readonly node?: string | readonly string[] | undefined };
    readonly body: undefined;
    readonly answer: StatsList;
  };
  'GET /tswarm/v1/node/stats': {
    readonly params: {  };
    readonly query: {  };
    readonly body: undefined;
    readonly answer: readonly ContainerStats[];
  };
  'GET /tswarm/v1/node/leftovers': {
    readonly params: {  };
    readonly query: {  };
    readonly body: undefined;
    readonly answer: readonly NodeLeftover[];
  };
  'DELETE /tswarm/v1/node/leftovers': {
    readonly params: {  };
    readonly query: {  };
    readonly body: undefined;
    readonly answer: readonly NodeLeftover[];
  };
  'GET /tswarm/v1/access': {
    readonly params: {  };
    readonly query: {  };
    readonly body: undefined;
    readonly answer: WhoAmI;
  };
  'GET /tswarm/v1/ca': {
    readonly params: {  };
    readonly query: {  };
    readonly body: undefined;
    readonly answer: never;
  };
  'GET /tswarm/v1/credentials': {
    readonly params: {  };
    readonly query: {  };
    readonly body: undefined;
    readonly answer: readonly CredentialInfo[];
  };
  'DELETE /tswarm/v1/credentials/{id}': {
    readonly params: { readonly id: string };
    readonly query: {  };
    readonly body: undefined;
    readonly answer: undefined;
  };
  'POST /tswarm/v1/tokens': {
    readonly params: {  };
    readonly query: {  };
    readonly body: TokenRequest;
    readonly answer: NewToken;
  };
  'POST /tswarm/v1/certificates': {
    readonly params: {  };
    readonly query: {  };
    readonly body: CertificateRequest;
    readonly answer: NewCertificate;
  };
  'GET /tswarm/v1/audit': {
    readonly params: {  };
    readonly query: { readonly limit?: number | string | undefined };
    readonly body: undefined;
    readonly answer: readonly AuditRow[];
  };
  'POST /tswarm/v1/dashboard/links': {
    readonly params: {  };
    readonly query: {  };
    readonly body: LinkRequest;
    readonly answer: DashboardLink;
  };
  'GET /tswarm/v1/openapi.json': {
    readonly params: {  };
    readonly query: {  };
    readonly body: undefined;
    readonly answer: EngineJson;
  };
}

// Networks with the ways between nodes, volumes, secrets and configs: what there is, who uses it, and how to make or remove one. What is in a secret is never shown.
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import type { NetworkRow, SecretRow, VolumeRow } from '#api/cluster/feed-types';
import type { LocalVolume, LocalVolumeList } from '#api/cluster/types';
import { Action, type Values } from '../dialog.tsx';
import { age } from '../format.ts';
import { useAnswer, useCluster, useMay, useNow } from '../hooks.ts';
import {
  Card,
  type Column,
  Failure,
  Heading,
  NodeLink,
  rowsById,
  State,
  Table,
} from '../parts.tsx';
import { call, engine } from '../session.ts';

function stackLink({ stack }: { readonly stack: string }): JSX.Element | string {
  return stack === '' ? '' : <a href={`#/stacks/${stack}`}>{stack}</a>;
}

function RemoveAction({
  kind,
  id,
  what,
}: {
  readonly kind: 'network' | 'volume' | 'secret' | 'config';
  readonly id: string;
  readonly what: string;
}): JSX.Element {
  return (
    <Action
      label="Remove"
      question={`Remove ${what}? This cannot be undone.`}
      isDangerous
      run={() => call(`DELETE /tswarm/v1/${kind}s/{id}`, { params: { id } })}
    />
  );
}

/** The column that only those have who may change something. */
function actions<Row>(cell: (row: Row) => JSX.Element | null): readonly Column<Row>[] {
  return useMay('operator') ? [{ title: 'Actions', cell }] : [];
}

export function Networks(): JSX.Element {
  const state = useCluster('network');
  const mayChange = useMay('operator');
  const traits = (network: NetworkRow): string =>
    [
      network.isIngress ? 'ingress' : '',
      network.isInternal ? 'internal' : '',
      network.isAttachable ? 'attachable' : '',
    ]
      .filter((word) => word !== '')
      .join(', ');
  return (
    <>
      <Heading title="Networks">
        {mayChange ? (
          <Action
            label="New network"
            fields={[
              { name: 'Name', label: 'Name' },
              { name: 'internal', label: 'Without a way to the outside', kind: 'check' },
            ]}
            run={({ Name = '', internal }) => {
              const Internal = internal === 'yes';
              const body = { Name: Name.trim(), Driver: 'overlay', Attachable: true, Internal };
              return engine('POST', '/networks/create', body);
            }}
          />
        ) : null}
      </Heading>
      <Table
        label="Networks"
        rows={rowsById(state, 'network', state.named('network'))}
        keyOf={(network) => network.id}
        empty="No networks."
        columns={[
          { title: 'Name', cell: (network) => network.name },
          { title: 'Driver', cell: (network) => network.driver },
          { title: 'Subnets', cell: (network) => network.subnets.join(', ') },
          { title: 'Traits', cell: traits },
          { title: 'Stack', cell: stackLink },
          ...actions<NetworkRow>((network) =>
            network.isIngress || network.stack !== '' ? null : (
              <RemoveAction kind="network" id={network.id} what={`network ${network.name}`} />
            ),
          ),
        ]}
      />
      {mayChange ? <WaysCard /> : null}
    </>
  );
}

/** What GET /tswarm/v1/network/check says. */
interface Ways {
  readonly mtuBytes: number;
  readonly faults: readonly string[];
  readonly peers: readonly {
    readonly nodeId: string;
    readonly hostname: string;
    readonly endpoint: string;
    readonly sent: number;
    readonly received: number;
    readonly rttMs: number;
    readonly faults: readonly string[];
  }[];
}

function WaysCard(): JSX.Element {
  const [ways, setWays] = useState<Ways | undefined>();
  const measure = async (): Promise<void> => {
    setWays((await call('GET /tswarm/v1/network/check')) as unknown as Ways);
  };
  return (
    <Card title="Ways from this node to the others">
      <Action label="Measure now" run={measure} />
      {ways ? (
        <>
          {ways.faults.map((fault) => (
            <Failure key={fault} error={new Error(fault)} />
          ))}
          <Table
            label="Ways to other nodes"
            rows={ways.peers}
            keyOf={({ nodeId }) => nodeId}
            empty="This node exchanges packets with no other node now."
            columns={[
              { title: 'Node', cell: ({ nodeId, hostname }) => hostname || nodeId },
              { title: 'Endpoint', cell: ({ endpoint }) => endpoint, isExtra: true },
              {
                title: 'Answers',
                cell: ({ sent, received }) => `${received} of ${sent}`,
                isNumber: true,
              },
              {
                title: 'Round trip',
                cell: ({ received, rttMs }) => (received === 0 ? '' : `${rttMs.toFixed(2)} ms`),
                isNumber: true,
              },
              {
                title: 'State',
                cell: ({ faults }) =>
                  faults.length === 0 ? <State of="reachable" /> : faults.join('; '),
              },
            ]}
          />
          <p class="sub">Packets through the tunnel have up to {ways.mtuBytes} bytes.</p>
        </>
      ) : null}
    </Card>
  );
}

/** Volumes as they are on the nodes, and which node answers here. */
async function nodeVolumes(
  signal: AbortSignal,
): Promise<LocalVolumeList & { readonly here: string }> {
  const list = await call('GET /tswarm/v1/local-volumes', { signal });
  const { Name } = await engine<{ readonly Name: string }>('GET', '/info', undefined, signal);
  return { ...list, here: Name };
}

function RemoveLocal({
  volume: { name, node },
  onDone,
}: {
  readonly volume: LocalVolume;
  readonly onDone: () => void;
}): JSX.Element {
  return (
    <Action
      label="Remove"
      question={`Remove volume ${name} and the data in it from ${node}? This cannot be undone.`}
      isDangerous
      run={async () => {
        await engine('DELETE', `/volumes/${encodeURIComponent(name)}`);
        onDone();
      }}
    />
  );
}

/** Those of the cluster, and those that were made on a node for itself. */
export function Volumes(): JSX.Element {
  const [revision, setRevision] = useState(0);
  const state = useCluster('volume');
  const mayChange = useMay('operator');
  const { value, error } = useAnswer(nodeVolumes, [revision, state.named('volume')]);
  const here = value?.here ?? '';
  // What a volume of the cluster is on its node.
  const known = new Set(state.all('volume').map(({ name }) => name));
  const again = (): void => setRevision((n) => n + 1);
  return (
    <>
      <Heading title="Volumes" sub="Data stays on the node on which a volume was first used">
        {mayChange ? (
          <Action
            label="New volume"
            title={`A volume on ${here || 'this node'}`}
            fields={[{ name: 'Name', label: 'Name' }]}
            run={async ({ Name = '' }) => {
              await engine('POST', '/volumes/create', { Name: Name.trim() });
              again();
            }}
          />
        ) : null}
      </Heading>
      <ClusterVolumes />
      <Card title="Of single nodes">
        <Failure error={error} />
        {value && value.missing.length > 0 ? (
          <p class="banner bad" role="status">
            No answer from {value.missing.map(({ node }) => node).join(', ')}: what is there is not
            shown.
          </p>
        ) : null}
        <Table<LocalVolume>
          label="Volumes of single nodes"
          rows={(value?.volumes ?? []).filter(({ name }) => !known.has(name))}
          keyOf={({ node, name }) => `${node} ${name}`}
          empty={value ? 'None.' : 'Loading…'}
          columns={[
            { title: 'Name', cell: ({ name }) => name },
            { title: 'Driver', cell: ({ driver }) => driver },
            { title: 'Node', cell: ({ node }) => node },
            ...actions<LocalVolume>((volume) =>
              volume.node === here ? <RemoveLocal volume={volume} onDone={again} /> : null,
            ),
          ]}
        />
      </Card>
    </>
  );
}

function ClusterVolumes(): JSX.Element {
  const state = useCluster('volume');
  return (
    <Card title="Of the cluster">
      <Table
        label="Volumes"
        rows={rowsById(state, 'volume', state.named('volume'))}
        keyOf={(volume) => volume.id}
        empty="None: services and stacks make theirs."
        columns={[
          { title: 'Name', cell: (volume) => volume.name },
          { title: 'Driver', cell: (volume) => volume.driver },
          {
            title: 'Data on',
            cell: ({ nodeId }) => (nodeId === '' ? 'not used yet' : <NodeLink id={nodeId} />),
          },
          { title: 'Stack', cell: stackLink },
          ...actions<VolumeRow>(({ id, name }) => (
            <RemoveAction kind="volume" id={id} what={`volume ${name} and the data in it`} />
          )),
        ]}
      />
    </Card>
  );
}

const KINDS = [
  ['secret', 'Secrets', 'New secret'],
  ['config', 'Configs', 'New config'],
] as const;

export function Secrets(): JSX.Element {
  const state = useCluster('secret', 'config');
  const now = useNow();
  const mayChange = useMay('operator');
  const columns = (kind: 'secret' | 'config'): readonly Column<SecretRow>[] => [
    { title: 'Name', cell: (row) => row.name },
    { title: 'Made', cell: (row) => age(row.createdAt, now), isNumber: true },
    { title: 'Changed', cell: (row) => age(row.updatedAt, now), isNumber: true },
    ...(mayChange
      ? [
          {
            title: 'Actions',
            cell: ({ id, name }: SecretRow) => (
              <RemoveAction kind={kind} id={id} what={`${kind} ${name}`} />
            ),
          },
        ]
      : []),
  ];
  return (
    <>
      <Heading title="Secrets and configs" sub="Names only: what is in them is never shown here">
        {mayChange
          ? KINDS.map(([kind, , label]) => (
              <Action
                key={kind}
                label={label}
                fields={[
                  { name: 'name', label: 'Name' },
                  { name: 'data', label: 'Content', kind: 'area' },
                ]}
                run={(values) => create(kind, values)}
              />
            ))
          : null}
      </Heading>
      {KINDS.map(([kind, title]) => (
        <Card key={kind} title={title}>
          <Table
            label={title}
            rows={rowsById(state, kind, state.named(kind))}
            keyOf={(row) => row.id}
            columns={columns(kind)}
            empty="None."
          />
        </Card>
      ))}
    </>
  );
}

function create(kind: 'secret' | 'config', { name = '', data = '' }: Values): Promise<unknown> {
  // Forms send lines with CR LF; a secret has what was typed.
  const bytes = new TextEncoder().encode(data.replaceAll('\r\n', '\n'));
  const Data = btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(''));
  return call(`POST /tswarm/v1/${kind}s`, { body: { Name: name.trim(), Data } });
}

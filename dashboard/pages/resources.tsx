// Networks, volumes, secrets and configs: what there is and who uses it.
import type { JSX } from 'preact';
import type { SecretRow } from '#api/cluster/feed-types';
import { age } from '../format.ts';
import { useCluster, useNow } from '../hooks.ts';
import { Card, type Column, Heading, NodeLink, Table } from '../parts.tsx';

const byName = (a: { readonly name: string }, b: { readonly name: string }): number =>
  a.name.localeCompare(b.name);

function stackLink({ stack }: { readonly stack: string }): JSX.Element | string {
  return stack === '' ? '' : <a href={`#/stacks/${stack}`}>{stack}</a>;
}

export function Networks(): JSX.Element {
  const rows = useCluster().all('network').sort(byName);
  const traits = (network: (typeof rows)[number]): string =>
    [
      network.isIngress ? 'ingress' : '',
      network.isInternal ? 'internal' : '',
      network.isAttachable ? 'attachable' : '',
    ]
      .filter((word) => word !== '')
      .join(', ');
  return (
    <>
      <Heading title="Networks" />
      <Table
        label="Networks"
        rows={rows}
        keyOf={(network) => network.id}
        empty="No networks."
        columns={[
          { title: 'Name', cell: (network) => network.name },
          { title: 'Driver', cell: (network) => network.driver },
          { title: 'Subnets', cell: (network) => network.subnets.join(', ') },
          { title: 'Traits', cell: traits },
          { title: 'Stack', cell: stackLink },
        ]}
      />
    </>
  );
}

export function Volumes(): JSX.Element {
  const rows = useCluster().all('volume').sort(byName);
  return (
    <>
      <Heading title="Volumes" />
      <Table
        label="Volumes"
        rows={rows}
        keyOf={(volume) => volume.id}
        empty="No volumes."
        columns={[
          { title: 'Name', cell: (volume) => volume.name },
          { title: 'Driver', cell: (volume) => volume.driver },
          { title: 'Data on', cell: (volume) => <NodeLink id={volume.nodeId} /> },
          { title: 'Stack', cell: stackLink },
        ]}
      />
    </>
  );
}

export function Secrets(): JSX.Element {
  const state = useCluster();
  const now = useNow();
  const columns: readonly Column<SecretRow>[] = [
    { title: 'Name', cell: (row) => row.name },
    { title: 'Made', cell: (row) => age(row.createdAt, now), isNumber: true },
    { title: 'Changed', cell: (row) => age(row.updatedAt, now), isNumber: true },
  ];
  return (
    <>
      <Heading title="Secrets and configs" sub="Names only: what is in them is never shown here" />
      {(['secret', 'config'] as const).map((kind) => (
        <Card key={kind} title={kind === 'secret' ? 'Secrets' : 'Configs'}>
          <Table
            label={kind}
            rows={state.all(kind).sort(byName)}
            keyOf={(row) => row.id}
            columns={columns}
            empty="None."
          />
        </Card>
      ))}
    </>
  );
}

// Images of all nodes, and which nodes have them: nodes get what they lack by themselves. Pulling and removing is done on the node that serves this page.
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import type { ClusterImage } from '#api/cluster/types';
import { Action } from '../dialog.tsx';
import { age, size } from '../format.ts';
import { useAnswer, useMay, useNow } from '../hooks.ts';
import { Failure, Heading, Table } from '../parts.tsx';
import { pullImage } from '../pull.ts';
import { call, engine } from '../session.ts';

export function Images(): JSX.Element {
  const now = useNow();
  const mayChange = useMay('operator');
  const [revision, setRevision] = useState(0);
  const [progress, setProgress] = useState('');
  const { value, error } = useAnswer(
    async (signal) => ({
      list: await call('GET /tswarm/v1/images', { signal }),
      here: (await engine<{ readonly Name: string }>('GET', '/info', undefined, signal)).Name,
    }),
    [revision],
  );
  const again = (): void => setRevision((n) => n + 1);
  const missing = value?.list.missing ?? [];
  return (
    <>
      <Heading title="Images" sub="On all nodes; a node gets what it lacks by itself">
        {mayChange ? (
          <Action
            label="Pull"
            title={`Pull an image to ${value?.here ?? 'this node'}`}
            fields={[{ name: 'image', label: 'Image', hint: 'registry/name:tag' }]}
            run={async ({ image = '' }) => {
              await pullImage(image.trim(), setProgress).finally(() => setProgress(''));
              again();
            }}
          />
        ) : null}
      </Heading>
      <Failure error={error} />
      {missing.length === 0 ? null : (
        <p class="banner bad" role="status">
          No answer from {missing.map(({ node }) => node).join(', ')}: what is there is not shown.
        </p>
      )}
      {progress === '' ? null : (
        <p class="banner quiet" role="status">
          {progress}
        </p>
      )}
      <Table
        label="Images"
        rows={value?.list.images ?? []}
        keyOf={({ id }) => id}
        empty={value ? 'No images yet.' : 'Loading…'}
        columns={[
          { title: 'Name', cell: ({ tags }) => tags.join(', ') || 'without a name' },
          { title: 'Id', cell: ({ id }) => <code>{id.replace('sha256:', '').slice(0, 12)}</code> },
          { title: 'On', cell: ({ nodes }) => nodes.join(', ') },
          { title: 'Size', cell: ({ sizeBytes }) => size(sizeBytes), isNumber: true },
          {
            title: 'Made',
            cell: ({ createdAt }) => age(createdAt, now),
            isNumber: true,
            isExtra: true,
          },
          ...(mayChange
            ? [
                {
                  title: 'Actions',
                  cell: (image: ClusterImage) =>
                    image.nodes.includes(value?.here ?? '') ? (
                      <RemoveImage image={image} node={value?.here ?? ''} onDone={again} />
                    ) : null,
                },
              ]
            : []),
        ]}
      />
    </>
  );
}

function RemoveImage({
  image: { id, tags },
  node,
  onDone,
}: {
  readonly image: ClusterImage;
  readonly node: string;
  readonly onDone: () => void;
}): JSX.Element {
  const name = tags[0] ?? id;
  return (
    <Action
      label="Remove"
      question={`Remove ${tags[0] ?? id.slice(7, 19)} from ${node}? Other nodes keep it.`}
      isDangerous
      run={async () => {
        await engine('DELETE', `/images/${name}`);
        onDone();
      }}
    />
  );
}

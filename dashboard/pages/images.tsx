// The images of the node that serves this page: nodes get what they lack by themselves, so this is where to look at what was built or pulled here.
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { Action } from '../dialog.tsx';
import { age, size } from '../format.ts';
import { useAnswer, useMay, useNow } from '../hooks.ts';
import { Failure, Heading, Table } from '../parts.tsx';
import { pullImage } from '../pull.ts';
import { engine } from '../session.ts';

interface ImageRow {
  readonly Id: string;
  readonly RepoTags?: readonly string[] | null;
  readonly Size: number;
  /** Unix seconds. */
  readonly Created: number;
}

export function Images(): JSX.Element {
  const now = useNow();
  const mayChange = useMay('operator');
  const [revision, setRevision] = useState(0);
  const [progress, setProgress] = useState('');
  const { value, error } = useAnswer(
    async (signal) => ({
      images: await engine<readonly ImageRow[]>('GET', '/images/json', undefined, signal),
      node: (await engine<{ readonly Name: string }>('GET', '/info', undefined, signal)).Name,
    }),
    [revision],
  );
  const again = (): void => setRevision((n) => n + 1);
  return (
    <>
      <Heading
        title="Images"
        sub={value ? `On ${value.node}, the node that serves this page` : undefined}
      >
        {mayChange ? (
          <Action
            label="Pull"
            title="Pull an image"
            fields={[{ name: 'image', label: 'Image', hint: 'registry/name:tag' }]}
            run={async ({ image = '' }) => {
              await pullImage(image.trim(), setProgress);
              setProgress('');
              again();
            }}
          />
        ) : null}
      </Heading>
      <Failure error={error} />
      {progress === '' ? null : (
        <p class="banner quiet" role="status">
          {progress}
        </p>
      )}
      <Table
        label="Images"
        rows={value?.images ?? []}
        keyOf={({ Id }) => Id}
        empty={value ? 'No images on this node.' : 'Loading…'}
        columns={[
          {
            title: 'Name',
            cell: ({ RepoTags }) => (RepoTags ?? []).join(', ') || 'without a name',
          },
          { title: 'Id', cell: ({ Id }) => <code>{Id.replace('sha256:', '').slice(0, 12)}</code> },
          { title: 'Size', cell: ({ Size }) => size(Size), isNumber: true },
          {
            title: 'Made',
            cell: ({ Created }) => age(new Date(Created * 1000).toISOString(), now),
            isNumber: true,
            isExtra: true,
          },
          ...(mayChange
            ? [
                {
                  title: 'Actions',
                  cell: ({ Id, RepoTags }: ImageRow) => (
                    <Action
                      label="Remove"
                      question={`Remove ${RepoTags?.[0] ?? Id.slice(7, 19)} from this node?`}
                      isDangerous
                      run={async () => {
                        await engine('DELETE', `/images/${RepoTags?.[0] ?? Id}`);
                        again();
                      }}
                    />
                  ),
                },
              ]
            : []),
        ]}
      />
    </>
  );
}

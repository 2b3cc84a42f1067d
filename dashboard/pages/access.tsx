// Tokens and client certificates: who may use the API from elsewhere, with which role. For administrators. A token is shown once, here.
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import type { CredentialInfo } from '#api/cluster/types';
import { Action } from '../dialog.tsx';
import { age } from '../format.ts';
import { useAnswer, useMay, useNow } from '../hooks.ts';
import { Failure, Heading, Table } from '../parts.tsx';
import { call } from '../session.ts';

export function Access(): JSX.Element {
  const isAdmin = useMay('admin');
  if (!isAdmin) {
    return (
      <>
        <Heading title="Access" />
        <p class="empty">Only administrators see who has access.</p>
      </>
    );
  }
  return <Credentials />;
}

function Credentials(): JSX.Element {
  const now = useNow();
  const [revision, setRevision] = useState(0);
  const [token, setToken] = useState('');
  const { value, error } = useAnswer(
    (signal) => call('GET /tswarm/v1/credentials', { signal }),
    [revision],
  );
  const again = (): void => setRevision((n) => n + 1);
  return (
    <>
      <Heading title="Access" sub="Tokens and client certificates for the API with TLS">
        <NewToken
          onMade={(made) => {
            setToken(made);
            again();
          }}
        />
      </Heading>
      {token === '' ? null : (
        <p class="banner good" role="status">
          Copy the token now, it is not shown again: <code class="token">{token}</code>
        </p>
      )}
      <Failure error={error} />
      <Table<CredentialInfo>
        label="Credentials"
        rows={value ?? []}
        keyOf={({ id }) => id}
        empty={value ? 'None: only this host can use the API.' : 'Loading…'}
        columns={[
          { title: 'Name', cell: ({ name }) => name },
          { title: 'Kind', cell: ({ kind }) => kind },
          { title: 'Role', cell: ({ role }) => role || 'unknown' },
          { title: 'Made', cell: ({ createdAt }) => age(createdAt, now), isNumber: true },
          {
            title: 'Good until',
            cell: ({ expiresAt }) => expiresAt?.slice(0, 10) ?? 'without end',
          },
          { title: 'Actions', cell: (one) => <TakeBack credential={one} onDone={again} /> },
        ]}
      />
    </>
  );
}

function NewToken({ onMade }: { readonly onMade: (token: string) => void }): JSX.Element {
  return (
    <Action
      label="New token"
      fields={[
        { name: 'name', label: 'Name', hint: 'For whom or what it is; the activity names it.' },
        {
          name: 'role',
          label: 'Role',
          kind: 'choice',
          value: 'viewer',
          choices: [
            ['viewer', 'viewer: looks'],
            ['operator', 'operator: runs things'],
            ['admin', 'admin: everything'],
          ],
        },
      ]}
      run={async ({ name = '', role }) => {
        const body = { name: name.trim(), role: role as 'viewer' | 'operator' | 'admin' };
        onMade((await call('POST /tswarm/v1/tokens', { body })).token);
      }}
    />
  );
}

function TakeBack({
  credential: { id, name },
  onDone,
}: {
  readonly credential: CredentialInfo;
  readonly onDone: () => void;
}): JSX.Element {
  return (
    <Action
      label="Take back"
      question={`Take ${name} back? Whoever uses it has no access any more, at once.`}
      isDangerous
      run={async () => {
        await call('DELETE /tswarm/v1/credentials/{id}', { params: { id } });
        onDone();
      }}
    />
  );
}

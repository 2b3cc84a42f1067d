// One service: how its rollout goes and why it does not, its tasks, its versions, its logs.
import type { JSX } from 'preact';
import type { ServiceRow } from '#api/cluster/feed-types';
import { Action, type Values } from '../dialog.tsx';
import { age, portText } from '../format.ts';
import { useAnswer, useCluster, useMay, useNow } from '../hooks.ts';
import { Card, Failure, Heading, Image, Rollout, rowsById, State, Table } from '../parts.tsx';
import { call } from '../session.ts';
import { countText, serviceState } from './services.tsx';
import { TaskTable } from './tasks.tsx';
import { WhyCard } from './why.tsx';

export function ServicePage({ id }: { readonly id: string }): JSX.Element {
  const state = useCluster(`service:${id}`);
  const mayChange = useMay('operator');
  const service = state.get('service', id);
  if (!service) return <p class="empty">There is no such service any more.</p>;
  const past = state.pastOfService(id);
  return (
    <>
      <Heading
        title={service.name}
        sub={
          <>
            <State of={serviceState(service)} /> {countText(service)} {service.mode},{' '}
            <Image of={service.image} />
            {service.ports.map((port) => `, ${portText(port)}`).join('')}
          </>
        }
      >
        <a class="button" href={`#/logs/service/${service.name}`}>
          Logs
        </a>
        {mayChange ? <Actions service={service} /> : null}
      </Heading>
      {service.update ? (
        <Card title="Last update">
          <Rollout update={service.update} />
        </Card>
      ) : null}
      {service.running + service.completed < service.desired ? (
        <WhyCard kind="service" id={id} revision={`${service.running} ${service.updatedAt}`} />
      ) : null}
      <Card title="Tasks">
        <TaskTable
          tasks={rowsById(state, 'task', state.wantedOfService(id))}
          hasNode
          currentVersion={service.taskVersion}
          empty="No task is wanted."
        />
      </Card>
      {past.length === 0 ? null : (
        <Card title="Tasks before them">
          <TaskTable
            label="Tasks before them"
            tasks={rowsById(state, 'task', past)}
            hasNode
            empty="None."
          />
        </Card>
      )}
      <Revisions service={service} />
    </>
  );
}

async function rollBack(id: string, rollback: string): Promise<void> {
  const { version } = await present(id);
  await call('POST /tswarm/v1/services/{id}/update', {
    params: { id },
    query: { version, rollback },
  });
}

interface Spec {
  readonly TaskTemplate?: {
    readonly ContainerSpec?: { readonly Image?: string };
    readonly ForceUpdate?: number;
  };
}

async function present(id: string): Promise<{ readonly version: number; readonly spec: Spec }> {
  const found = await call('GET /tswarm/v1/services/{id}', { params: { id } });
  const { Version, Spec } = found as unknown as {
    readonly Version: { readonly Index: number };
    readonly Spec: Spec;
  };
  return { version: Version.Index, spec: Spec };
}

async function changeImage(id: string, image: string): Promise<void> {
  const { version, spec } = await present(id);
  const container = { ...spec.TaskTemplate?.ContainerSpec, Image: image, ImageID: '' };
  const body = { ...spec, TaskTemplate: { ...spec.TaskTemplate, ContainerSpec: container } };
  await call('POST /tswarm/v1/services/{id}/update', { params: { id }, query: { version }, body });
}

function Actions({ service }: { readonly service: ServiceRow }): JSX.Element {
  const { id, name, mode, desired, update, image } = service;
  const act = (body: object): Promise<unknown> =>
    call('POST /tswarm/v1/services/action', { body: { services: [id], ...body } });
  const rollout = (action: string): Promise<unknown> =>
    call('POST /tswarm/v1/services/{id}/rollout', { params: { id }, query: { action } });
  const isMoving = update?.state === 'updating' || update?.state === 'rollback_started';
  const isHalted = update?.state === 'paused' || update?.state === 'rollback_paused';
  return (
    <>
      {mode === 'replicated' ? (
        <Action
          label="Scale"
          title={`How many tasks of ${name}?`}
          fields={[
            {
              name: 'replicas',
              label: 'Tasks',
              kind: 'number',
              value: String(desired),
              min: 0,
              max: 100_000,
            },
          ]}
          run={({ replicas }: Values) => act({ replicas: Number(replicas) })}
        />
      ) : null}
      {isMoving ? <Action label="Halt the update" run={() => rollout('pause')} /> : null}
      {isHalted ? <Action label="Go on with the update" run={() => rollout('resume')} /> : null}
      <Action
        label="Change image"
        title={`Another image for ${name}`}
        fields={[
          {
            name: 'image',
            label: 'Image',
            value: image.replace(/@sha256:.*$/, ''),
            hint: 'Tasks are replaced as the update settings of the service say.',
          },
        ]}
        run={(values) => changeImage(id, (values.image ?? '').trim())}
      />
      <Action
        label="Restart"
        question={`Restart the containers of ${name}?`}
        run={() => act({ restart: true })}
      />
      {service.revision > 0 ? (
        <Action
          label="Roll back"
          question={`Go back to the version of ${name} before this one?`}
          run={() => rollBack(id, 'previous')}
        />
      ) : null}
      <Action
        label="Remove"
        question={`Remove ${name} and its containers? Volumes stay.`}
        isDangerous
        run={async () => {
          await call('DELETE /tswarm/v1/services/{id}', { params: { id } });
          location.hash = '#/services';
        }}
      />
    </>
  );
}

interface Revision {
  readonly Revision: number;
  readonly ReplacedAt?: string;
  readonly Present: boolean;
  readonly Spec: Spec;
}

function Revisions({ service }: { readonly service: ServiceRow }): JSX.Element {
  const now = useNow();
  const mayChange = useMay('operator');
  const { id } = service;
  const { value, error } = useAnswer(
    (signal) => call('GET /tswarm/v1/services/{id}/revisions', { params: { id }, signal }),
    [id, service.revision],
  );
  return (
    <Card title="Versions">
      <Failure error={error} />
      <Table
        label="Versions"
        rows={(value ?? []) as unknown as readonly Revision[]}
        keyOf={(one) => String(one.Revision)}
        empty="None."
        columns={[
          { title: 'Version', cell: (one) => one.Revision },
          {
            title: 'Image',
            cell: (one) => <Image of={one.Spec.TaskTemplate?.ContainerSpec?.Image ?? ''} />,
          },
          {
            title: 'Replaced',
            cell: (one) => (one.Present ? 'in use' : `${age(one.ReplacedAt ?? '', now)} ago`),
          },
          {
            title: 'Actions',
            cell: (one) =>
              one.Present || !mayChange ? null : (
                <Action
                  label="Go back to it"
                  question={`Go back to version ${one.Revision}?`}
                  run={() => rollBack(id, String(one.Revision))}
                />
              ),
          },
        ]}
      />
    </Card>
  );
}

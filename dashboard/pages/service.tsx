// One service: how its rollout goes and why it does not, its tasks, its revisions, its logs.
import type { JSX } from 'preact';
import type { ServiceRow } from '#api/cluster/feed-types';
import { age, portText } from '../format.ts';
import { useAnswer, useCluster, useIsAdmin, useNow } from '../hooks.ts';
import { Action, Card, Failure, Heading, Image, Rollout, State, Table } from '../parts.tsx';
import { get, post } from '../session.ts';
import { isWanted } from '../state.ts';
import { countText, serviceState } from './services.tsx';
import { TaskTable } from './tasks.tsx';
import { WhyCard } from './why.tsx';

export function ServicePage({ id }: { readonly id: string }): JSX.Element {
  const state = useCluster();
  const isAdmin = useIsAdmin();
  const service = state.get('service', id);
  if (!service) return <p class="empty">There is no such service any more.</p>;
  const tasks = state.tasksOfService(id);
  const wanted = tasks.filter(isWanted);
  const past = tasks.filter((task) => !isWanted(task));
  return (
    <>
      <Heading
        title={service.name}
        sub={
          <>
            <State of={serviceState(service)} /> {countText(service)} {service.mode},{' '}
            <Image of={service.image} /> {service.ports.map(portText).join(', ')}
          </>
        }
      >
        <a class="button" href={`#/logs/service/${service.name}`}>
          Logs
        </a>
        {isAdmin ? <Actions service={service} /> : null}
      </Heading>
      {service.update ? (
        <Card title="Last update">
          <Rollout update={service.update} />
        </Card>
      ) : null}
      {service.running < service.desired ? (
        <WhyCard kind="service" id={id} revision={`${service.running} ${service.updatedAt}`} />
      ) : null}
      <Card title="Tasks">
        <TaskTable
          tasks={wanted}
          hasNode
          currentVersion={service.taskVersion}
          empty="No task is wanted."
        />
      </Card>
      <Card title="Tasks before them">
        <TaskTable tasks={past} hasNode empty="None." />
      </Card>
      <Revisions service={service} />
    </>
  );
}

interface EngineService {
  readonly Version: { readonly Index: number };
}

async function rollBack(id: string, revision: string): Promise<void> {
  const { Version } = await get<EngineService>(`/tswarm/v1/services/${id}`);
  await post(`/tswarm/v1/services/${id}/update?version=${Version.Index}&rollback=${revision}`);
}

function Actions({ service }: { readonly service: ServiceRow }): JSX.Element {
  const { id, name, mode, desired, update } = service;
  const act = (body: object): Promise<unknown> =>
    post('/tswarm/v1/services/action', { services: [id], ...body });
  const scale = async (): Promise<void> => {
    const text = window.prompt(`How many tasks of ${name}?`, String(desired));
    if (text === null || text.trim() === '') return;
    if (!/^\d{1,6}$/.test(text.trim())) throw new Error(`"${text}" is not a number of tasks.`);
    await act({ replicas: Number(text) });
  };
  const rollout = (action: string): Promise<unknown> =>
    post(`/tswarm/v1/services/${id}/rollout?action=${action}`);
  const isMoving = update?.state === 'updating' || update?.state === 'rollback_started';
  const isHalted = update?.state === 'paused' || update?.state === 'rollback_paused';
  return (
    <>
      {mode === 'replicated' ? <Action label="Scale" run={scale} /> : null}
      {isMoving ? <Action label="Halt the update" run={() => rollout('pause')} /> : null}
      {isHalted ? <Action label="Go on with the update" run={() => rollout('resume')} /> : null}
      <Action
        label="Restart"
        confirm={`Restart the containers of ${name}?`}
        run={() => act({ restart: true })}
      />
      {service.revision > 0 ? (
        <Action
          label="Roll back"
          confirm={`Go back to the version of ${name} before this one?`}
          run={() => rollBack(id, 'previous')}
        />
      ) : null}
    </>
  );
}

interface Revision {
  readonly Revision: number;
  readonly ReplacedAt?: string;
  readonly Present: boolean;
  readonly Spec: {
    readonly TaskTemplate?: { readonly ContainerSpec?: { readonly Image?: string } };
  };
}

function Revisions({ service }: { readonly service: ServiceRow }): JSX.Element {
  const now = useNow();
  const isAdmin = useIsAdmin();
  const { value, error } = useAnswer(
    (signal) => get<readonly Revision[]>(`/tswarm/v1/services/${service.id}/revisions`, signal),
    [service.id, service.revision],
  );
  return (
    <Card title="Versions">
      <Failure error={error} />
      <Table
        label="Versions"
        rows={value ?? []}
        keyOf={(one) => String(one.Revision)}
        empty="None."
        columns={[
          { title: 'Version', cell: (one) => one.Revision, isNumber: true },
          {
            title: 'Image',
            cell: (one) => <Image of={one.Spec.TaskTemplate?.ContainerSpec?.Image ?? ''} />,
          },
          {
            title: 'Replaced',
            cell: (one) => (one.Present ? 'in use' : age(one.ReplacedAt ?? '', now)),
          },
          {
            title: 'Actions',
            cell: (one) =>
              one.Present || !isAdmin ? null : (
                <Action
                  label="Go back to it"
                  confirm={`Go back to version ${one.Revision}?`}
                  run={() => rollBack(service.id, String(one.Revision))}
                />
              ),
          },
        ]}
      />
    </Card>
  );
}

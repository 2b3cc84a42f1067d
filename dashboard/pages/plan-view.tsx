// What a deployment would do: objects with the fields that differ, where containers go, and what is at risk.
import type { JSX } from 'preact';
import type {
  ComposeImage,
  PlannedTaskInfo,
  ShownChange,
  ShownField,
  ShownPlan,
} from '#api/cluster/types';
import { plural } from '../format.ts';

const MARKS = { created: '+', updated: '~', removed: '−', none: ' ' } as const;
const TONES = { created: 'good', updated: 'busy', removed: 'bad', none: 'quiet' } as const;

export function PlanView({
  stack,
  plan,
  images,
  same = 'the cluster is as the file says',
}: {
  readonly stack: string;
  readonly plan: ShownPlan;
  readonly images: readonly ComposeImage[];
  /** Said when nothing would change. */
  readonly same?: string;
}): JSX.Element {
  const moving = plan.tasks.filter(({ action }) => action !== 'keep');
  const shown = plan.changes.filter(
    ({ action, name }) => action !== 'none' || moving.some(({ service }) => service === name),
  );
  const missing = new Set(images.filter(({ id }) => id === '').map(({ image }) => image));
  return (
    <>
      <h2>Plan</h2>
      <p class="sub">
        {stack}: {plan.revision === 0 ? 'new' : `now at deployment ${plan.revision}`}, on{' '}
        {plural(plan.nodes, 'node')}
      </p>
      {shown.length === 0 ? <p class="banner good">No changes: {same}.</p> : null}
      {missing.size > 0 ? <p>Pulled first: {[...missing].join(', ')}</p> : null}
      <ul class="plan">
        {shown.map((change) => (
          <Change
            key={`${change.kind} ${change.name}`}
            stack={stack}
            change={change}
            tasks={moving}
          />
        ))}
      </ul>
      {plan.risks.length === 0 && plan.warnings.length === 0 ? null : (
        <>
          <h3>At risk</h3>
          <ul class="findings">
            {plan.risks.map(({ about, message, hint }) => (
              <li key={about + message} class="warn">
                <div>
                  {about}: {message} <small>{hint}</small>
                </div>
              </li>
            ))}
            {plan.warnings.map((warning) => (
              <li key={warning} class="warn">
                <div>{warning}</div>
              </li>
            ))}
          </ul>
        </>
      )}
    </>
  );
}

function Change({
  stack,
  change,
  tasks,
}: {
  readonly stack: string;
  readonly change: ShownChange;
  readonly tasks: readonly PlannedTaskInfo[];
}): JSX.Element {
  const { kind, name, action, recreated } = change;
  const own = kind === 'service' ? tasks.filter(({ service }) => service === name) : [];
  // Of something new, what it is made from: the rest is in the file.
  const fields =
    action === 'created' ? change.fields.filter(({ field }) => field === 'image') : change.fields;
  return (
    <li>
      <div>
        <span class={`state ${TONES[action]}`}>{MARKS[action]}</span> {kind}{' '}
        <strong>{name.replace(`${stack}_`, '')}</strong> {recreated ? 'is made anew' : ''}
      </div>
      {action === 'removed' ? null : (
        <ul class="fields">
          {fields.map((field) => (
            <Difference key={field.field} field={field} />
          ))}
        </ul>
      )}
      {own.length === 0 ? null : <p class="sub">{tasksText(own)}</p>}
    </li>
  );
}

function Difference({ field }: { readonly field: ShownField }): JSX.Element {
  const { before, after } = field;
  return (
    <li>
      <span>{field.field}</span>
      {before === undefined ? null : <del>{before}</del>}
      {after === undefined ? null : <ins>{after}</ins>}
    </li>
  );
}

const WORDS: readonly (readonly [PlannedTaskInfo['action'], one: string, many: string])[] = [
  ['start', 'starts', 'start'],
  ['replace', 'is replaced', 'are replaced'],
  ['restart', 'is started again', 'are started again'],
  ['stop', 'stops', 'stop'],
  ['pending', 'finds no node', 'find no node'],
];

/** "2 start on m1 and w1; 1 finds no node: …" */
function tasksText(tasks: readonly PlannedTaskInfo[]): string {
  return WORDS.flatMap(([action, one, many]) => {
    const found = tasks.filter((task) => task.action === action);
    if (found.length === 0) return [];
    const nodes = [...new Set(found.map(({ node }) => node).filter((node) => node !== ''))];
    const where = nodes.length === 0 ? '' : ` on ${nodes.sort().join(', ')}`;
    const reason = found.find((task) => task.reason !== '')?.reason ?? '';
    const why = reason === '' ? '' : `: ${reason}`;
    return [
      `${plural(found.length, 'container')} ${found.length === 1 ? one : many}${where}${why}`,
    ];
  }).join('; ');
}

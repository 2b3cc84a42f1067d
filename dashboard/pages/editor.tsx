// A compose file: written or changed here, checked at the line, and planned before it is deployed. The server loads and plans, so it says what tcompose would say.
import type { JSX, TargetedKeyboardEvent } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import type { ComposePlan, ComposeProblem, ComposeSource } from '#api/cluster/types';
import { useAnswer, useMay } from '../hooks.ts';
import { Failure, Heading } from '../parts.tsx';
import { pullImage } from '../pull.ts';
import { call } from '../session.ts';
import { PlanView } from './plan-view.tsx';

/** Pause of typing after which the text is checked. */
const CHECK_AFTER_MS = 500;
const EXAMPLE = `services:
  web:
    image: nginx:alpine
    ports:
      - "8080:80"
    deploy:
      replicas: 2
`;

export function NewStack(): JSX.Element {
  return <Editor source={{ name: '', content: EXAMPLE, environment: '' }} />;
}

export function EditStack({ name }: { readonly name: string }): JSX.Element {
  const { value, error } = useAnswer(
    (signal) => call('GET /tswarm/v1/stacks/{name}/compose', { params: { name }, signal }),
    [name],
  );
  if (value) return <Editor key={name} source={value} />;
  return (
    <>
      <Heading title={name} />
      <Failure error={error} />
      {error ? null : <p class="empty">Loading…</p>}
    </>
  );
}

/** The answer for a text, asked for when nobody has typed for a moment. */
function usePlan(source: ComposeSource): {
  readonly plan: ComposePlan | undefined;
  readonly error: Error | undefined;
  /** Of another text than the one that is there. */
  readonly isOld: boolean;
  /** Asks anew: something has changed that is not in the text. */
  again(): void;
} {
  const [asked, setAsked] = useState(source);
  const [round, setRound] = useState(0);
  useEffect(() => {
    const timer = setTimeout(() => setAsked(source), CHECK_AFTER_MS);
    return () => clearTimeout(timer);
  }, [source]);
  const { value, error } = useAnswer(
    async (signal) => {
      if (asked.content.trim() === '') return undefined;
      const input = { query: { prune: true }, body: asked, signal };
      return { asked, plan: await call('POST /tswarm/v1/compose/plan', input) };
    },
    [asked, round],
  );
  const again = (): void => setRound((n) => n + 1);
  return { plan: value?.plan, error, isOld: value?.asked !== source, again };
}

function Editor({ source }: { readonly source: ComposeSource }): JSX.Element {
  const isNew = source.name === '';
  const [text, setText] = useState(source);
  const { plan, error, isOld, again } = usePlan(text);
  const mayDeploy = useMay('operator');
  const change = (part: Partial<ComposeSource>): void => setText((old) => ({ ...old, ...part }));
  if (!mayDeploy) return <p class="empty">Deploying takes the role operator.</p>;
  const isNamed = text.name.trim() !== '' || (plan?.name ?? '') !== '';
  return (
    <>
      <Heading
        title={isNew ? 'New stack' : `Edit ${source.name}`}
        sub="One compose file; it cannot name other files of this host"
      >
        <Deploy source={text} plan={isOld || !isNamed ? undefined : plan} onRefused={again} />
      </Heading>
      <div class="editor-page">
        <div>
          {isNew ? (
            <label class="field">
              <span>Name of the stack</span>
              <input
                value={text.name}
                placeholder="as the file says with name:"
                autocomplete="off"
                onInput={(event) => change({ name: event.currentTarget.value.trim() })}
              />
            </label>
          ) : null}
          <CodeArea
            label="Compose file"
            value={text.content}
            problems={plan?.problems ?? []}
            onInput={(content) => change({ content })}
          />
          <details>
            <summary>Variables (.env)</summary>
            <textarea
              aria-label="Variables, as in a file .env"
              rows={5}
              spellcheck={false}
              value={text.environment}
              onInput={(event) => change({ environment: event.currentTarget.value })}
            />
          </details>
        </div>
        <section aria-label="What it would do" aria-live="polite">
          <p class="sub">{isOld && !error ? 'Checking…' : ''}</p>
          <Failure error={error} />
          {plan ? <Problems problems={plan.problems} /> : null}
          {plan?.plan ? <PlanView stack={plan.name} plan={plan.plan} images={plan.images} /> : null}
        </section>
      </div>
    </>
  );
}

function Deploy({
  source,
  plan,
  onRefused,
}: {
  readonly source: ComposeSource;
  /** Undefined while there is none for this text. */
  readonly plan: ComposePlan | undefined;
  /** The plan may not be what would happen any more. */
  readonly onRefused: () => void;
}): JSX.Element {
  const [progress, setProgress] = useState('');
  const [error, setError] = useState<Error | undefined>();
  const deploy = async (): Promise<void> => {
    const missing = new Set(plan?.images.filter(({ id }) => id === '').map(({ image }) => image));
    for (const image of missing) await pullImage(image, setProgress);
    setProgress('Deploying…');
    const query = { prune: true, expectedState: plan?.plan?.state };
    const { stack } = await call('POST /tswarm/v1/compose/deploy', { query, body: source });
    const name = (stack as { readonly Spec?: { readonly Name?: string } } | null)?.Spec?.Name;
    location.hash = `#/stacks/${name ?? source.name}`;
  };
  const onClick = (): void => {
    setError(undefined);
    deploy().catch((caught: Error) => {
      setError(caught);
      setProgress('');
      onRefused();
    });
  };
  return (
    <>
      <button
        type="button"
        class="primary"
        disabled={!plan?.plan || progress !== ''}
        onClick={onClick}
      >
        Deploy
      </button>
      {progress === '' ? null : <span role="status">{progress}</span>}
      <Failure error={error} />
    </>
  );
}

const SEVERITIES = { error: 'bad', warning: 'warn', notice: 'quiet' } as const;

/** What keeps it from being deployed first, then as they stand in the file. */
function inOrder(problems: readonly ComposeProblem[]): readonly ComposeProblem[] {
  const severities = Object.keys(SEVERITIES);
  return [...problems].sort(
    (a, b) =>
      severities.indexOf(a.severity) - severities.indexOf(b.severity) ||
      (a.line ?? 0) - (b.line ?? 0),
  );
}

function Problems({
  problems,
}: {
  readonly problems: readonly ComposeProblem[];
}): JSX.Element | null {
  if (problems.length === 0) return null;
  const go = (line: number): void => {
    const area = document.getElementById('code') as HTMLTextAreaElement | null;
    if (!area) return;
    const before = area.value.split('\n').slice(0, line - 1);
    const at = before.reduce((sum, text) => sum + text.length + 1, 0);
    area.focus();
    area.setSelectionRange(at, at + (area.value.split('\n')[line - 1]?.length ?? 0));
    area.scrollTop = Math.max(0, (line - 5) * LINE_HEIGHT_PX);
  };
  return (
    <ul class="findings">
      {inOrder(problems).map(({ severity, message, line, hint = '' }, i) => (
        <li key={i} class={SEVERITIES[severity]}>
          <div>
            {line === undefined ? null : (
              <button type="button" class="line" onClick={() => go(line)}>
                line {line}
              </button>
            )}{' '}
            <strong>{severity}</strong> {message} {hint === '' ? null : <small>{hint}</small>}
          </div>
        </li>
      ))}
    </ul>
  );
}

/** As in the style sheet. */
const LINE_HEIGHT_PX = 20;

/** A text with line numbers, of which those with problems are marked. Tab leaves it, as everywhere. */
function CodeArea({
  label,
  value,
  problems,
  onInput,
}: {
  readonly label: string;
  readonly value: string;
  readonly problems: readonly ComposeProblem[];
  readonly onInput: (text: string) => void;
}): JSX.Element {
  const gutter = useRef<HTMLDivElement>(null);
  const marks = new Map<number, ComposeProblem['severity']>();
  for (const { line, severity } of problems) {
    if (line !== undefined && marks.get(line) !== 'error') marks.set(line, severity);
  }
  const count = value.split('\n').length;
  return (
    <div class="code">
      <div class="gutter" ref={gutter} aria-hidden="true">
        {Array.from({ length: count }, (_, i) => (
          <div
            key={i}
            class={SEVERITIES[marks.get(i + 1) ?? 'notice']}
            data-marked={marks.has(i + 1)}
          >
            {i + 1}
          </div>
        ))}
      </div>
      <textarea
        id="code"
        aria-label={label}
        aria-invalid={problems.some(({ severity }) => severity === 'error')}
        spellcheck={false}
        autocapitalize="off"
        wrap="off"
        value={value}
        onInput={(event) => onInput(event.currentTarget.value)}
        onKeyDown={indent}
        onScroll={(event) => {
          if (gutter.current) gutter.current.scrollTop = event.currentTarget.scrollTop;
        }}
      />
    </div>
  );
}

/** Enter goes on at the same column, one step further behind a colon. */
function indent(event: TargetedKeyboardEvent<HTMLTextAreaElement>): void {
  if (event.key !== 'Enter' || event.ctrlKey || event.metaKey || event.isComposing) return;
  const area = event.currentTarget;
  const line = area.value.slice(0, area.selectionStart).split('\n').at(-1) ?? '';
  const spaces = /^ */.exec(line)?.[0] ?? '';
  event.preventDefault();
  area.setRangeText(
    `\n${spaces}${line.trimEnd().endsWith(':') ? '  ' : ''}`,
    area.selectionStart,
    area.selectionEnd,
    'end',
  );
  area.dispatchEvent(new InputEvent('input', { bubbles: true }));
}

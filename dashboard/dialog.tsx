// Questions before a change, and forms for one. The browser's own <dialog> keeps the focus inside, closes with Escape and gives the focus back.
import type { ComponentChildren, JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { Failure } from './parts.tsx';

export interface Field {
  readonly name: string;
  readonly label: string;
  readonly kind?: 'text' | 'number' | 'area' | 'check' | 'choice';
  readonly value?: string;
  readonly hint?: string;
  /** Of a choice. */
  readonly choices?: readonly (readonly [value: string, label: string])[];
  readonly isOptional?: boolean;
  readonly min?: number;
  readonly max?: number;
}

export type Values = Readonly<Record<string, string>>;

interface DialogProps {
  readonly title: string;
  readonly children?: ComponentChildren;
  readonly fields?: readonly Field[];
  /** What the button of the dialog says. */
  readonly action: string;
  readonly isDangerous?: boolean;
  readonly run: (values: Values) => Promise<unknown>;
  readonly onClose: () => void;
}

/** Open as long as it is there. Closes when `run` has succeeded; a failure is said in it. */
function Dialog(props: DialogProps): JSX.Element {
  const { title, children, fields = [], action, isDangerous, run, onClose } = props;
  const box = useRef<HTMLDialogElement>(null);
  const [isBusy, setBusy] = useState(false);
  const [error, setError] = useState<Error | undefined>();
  useEffect(() => box.current?.showModal(), []);
  const submit = async (form: HTMLFormElement): Promise<void> => {
    setBusy(true);
    setError(undefined);
    try {
      await run(valuesOf(form, fields));
      box.current?.close();
    } catch (caught) {
      setError(caught as Error);
      setBusy(false);
    }
  };
  return (
    <dialog ref={box} aria-labelledby="dialog-title" onClose={onClose}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void submit(event.currentTarget);
        }}
      >
        <h2 id="dialog-title">{title}</h2>
        {children}
        {fields.map((field) => (
          <FieldInput key={field.name} field={field} />
        ))}
        <Failure error={error} />
        <div class="dialog-actions">
          <button type="button" onClick={() => box.current?.close()}>
            Cancel
          </button>
          <button type="submit" class={isDangerous ? 'danger' : 'primary'} disabled={isBusy}>
            {isBusy ? 'Working…' : action}
          </button>
        </div>
      </form>
    </dialog>
  );
}

function valuesOf(form: HTMLFormElement, fields: readonly Field[]): Values {
  const data = new FormData(form);
  return Object.fromEntries(fields.map(({ name }) => [name, String(data.get(name) ?? '')]));
}

function FieldInput({ field }: { readonly field: Field }): JSX.Element {
  const { name, label, kind = 'text', hint, isOptional = false } = field;
  if (kind === 'check') {
    return (
      <label class="check">
        <input type="checkbox" name={name} value="yes" /> {label}
      </label>
    );
  }
  return (
    <div class="field">
      <label for={idOf(field)}>
        {label}
        {isOptional ? <small> (may be empty)</small> : null}
      </label>
      <Control field={field} />
      {hint === undefined ? null : <small>{hint}</small>}
    </div>
  );
}

/** There is one dialog at a time. */
function idOf({ name }: Field): string {
  return `field-${name}`;
}

function Control({ field }: { readonly field: Field }): JSX.Element {
  const { name, kind = 'text', value = '', choices = [], isOptional = false, min, max } = field;
  const required = !isOptional;
  if (kind === 'area')
    return (
      <textarea id={idOf(field)} name={name} rows={6} required={required} spellcheck={false} />
    );
  if (kind === 'choice') {
    return (
      <select id={idOf(field)} name={name} value={value}>
        {choices.map(([option, text]) => (
          <option key={option} value={option} selected={option === value}>
            {text}
          </option>
        ))}
      </select>
    );
  }
  const common = { id: idOf(field), name, defaultValue: value, required, autocomplete: 'off' };
  if (kind !== 'number') return <input type="text" {...common} />;
  const limits = { ...(min === undefined ? {} : { min }), ...(max === undefined ? {} : { max }) };
  return <input type="number" {...common} {...limits} />;
}

/** A button that opens a dialog, or, without a question and fields, does it at once. */
export function Action({
  label,
  title,
  question,
  fields,
  isDangerous = false,
  isPrimary = false,
  run,
}: {
  readonly label: string;
  /** Of the dialog; the label unless given. */
  readonly title?: string;
  readonly question?: ComponentChildren;
  readonly fields?: readonly Field[];
  readonly isDangerous?: boolean;
  /** What the page is for. */
  readonly isPrimary?: boolean;
  readonly run: (values: Values) => Promise<unknown>;
}): JSX.Element {
  const [isOpen, setOpen] = useState(false);
  const [isBusy, setBusy] = useState(false);
  const [error, setError] = useState<Error | undefined>();
  const isAsked = question !== undefined || fields !== undefined;
  const doIt = async (): Promise<void> => {
    setBusy(true);
    setError(undefined);
    await run({}).catch((caught: Error) => setError(caught));
    setBusy(false);
  };
  return (
    <>
      <button
        type="button"
        class={isPrimary ? 'primary' : undefined}
        disabled={isBusy}
        onClick={() => (isAsked ? setOpen(true) : void doIt())}
      >
        {label}
      </button>
      <Failure error={error} />
      {isOpen ? (
        <Dialog
          title={title ?? label}
          action={label}
          isDangerous={isDangerous}
          {...(fields ? { fields } : {})}
          run={run}
          onClose={() => setOpen(false)}
        >
          {question === undefined ? null : <p>{question}</p>}
        </Dialog>
      ) : null}
    </>
  );
}

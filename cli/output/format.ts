// `--format` of list commands: "table", "json", or a Go-like template of fields: {{.Name}}, {{json .}}, {{upper .Name}}, "table {{.A}}\t{{.B}}".
// What a template may not do is refused by name.
import { TswarmError } from '#protocol/errors';
import { formatTable } from './table.ts';

export interface ListView {
  /** Column title → field. */
  readonly columns: readonly (readonly [title: string, field: string])[];
  readonly rows: readonly Readonly<Record<string, unknown>>[];
}

export interface ListOptions {
  readonly format?: string;
  readonly quiet?: boolean;
  readonly json?: boolean;
  /** Field that `--quiet` prints. */
  readonly quietField?: string;
}

/** Text of a list in the asked form. */
export function formatList(view: ListView, options: ListOptions): string {
  const { format = 'table' } = options;
  if (options.quiet)
    return view.rows.map((row) => `${text(row[options.quietField ?? 'ID'])}\n`).join('');
  if (options.json || format === 'json')
    return view.rows.map((row) => `${JSON.stringify(row)}\n`).join('');
  if (format === 'table') {
    const cells = view.rows.map((row) => view.columns.map(([, field]) => text(row[field])));
    return formatTable(
      view.columns.map(([title]) => title),
      cells,
    );
  }
  // Also where there is no row to show.
  checkTemplate(format);
  if (format.startsWith('table ')) return templateTable(view, format.slice('table '.length));
  return view.rows.map((row) => `${renderTemplate(format, row)}\n`).join('');
}

function templateTable(view: ListView, template: string): string {
  const parts = template.split(/\\t|\t/);
  const titleOf = (field: string): string =>
    view.columns.find(([, name]) => name === field)?.[0] ?? field.toUpperCase();
  // Words between two fields of a column stay between their titles.
  const titles = parts.map((part) =>
    part.replace(/\{\{[^}]*?\.([A-Za-z]*)[^}]*\}\}/g, (_, field: string) => titleOf(field)),
  );
  return formatTable(
    titles,
    view.rows.map((row) => parts.map((part) => renderTemplate(part, row))),
  );
}

/** One object through a template. @throws TswarmError invalid_argument for what templates here cannot do. */
export function renderTemplate(template: string, value: unknown): string {
  checkTemplate(template);
  return template
    .replace(/\\t/g, '\t')
    .replace(/\\n/g, '\n')
    .replace(/\{\{\s*(.*?)\s*\}\}/g, (_, expression: string) => evaluate(expression, value));
}

function checkTemplate(template: string): void {
  if (template.replace(/\{\{.*?\}\}/g, '').includes('{{')) {
    throw new TswarmError('invalid_argument', `--format: a "{{" has no "}}" in ${template}`);
  }
}

function evaluate(expression: string, value: unknown): string {
  const [, name, path] =
    /^(?:(json|upper|lower|len|println)\s+)?(\.[\w.]*)$/.exec(expression) ?? [];
  if (path === undefined) {
    throw new TswarmError('invalid_argument', `--format: "{{${expression}}}" is not supported`, {
      hint: 'Use {{.Field}}, {{json .Field}}, {{upper .Field}}, {{lower .Field}} or {{len .Field}}.',
    });
  }
  let found = value;
  for (const key of path.split('.').filter((part) => part !== '')) {
    if (typeof found !== 'object' || found === null || !(key in found)) {
      throw new TswarmError('invalid_argument', `--format: no field "${key}" in ${path}`, {
        hint: `Fields are: ${Object.keys((found as object | null) ?? {}).join(', ')}.`,
      });
    }
    found = (found as Record<string, unknown>)[key];
  }
  if (name === 'json') return JSON.stringify(found);
  if (name === 'upper') return text(found).toUpperCase();
  if (name === 'lower') return text(found).toLowerCase();
  if (name === 'len')
    return String(
      Array.isArray(found) || typeof found === 'string'
        ? found.length
        : Object.keys(found as object).length,
    );
  return name === 'println' ? `${text(found)}\n` : text(found);
}

function text(value: unknown): string {
  if (value === undefined || value === null) return '';
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

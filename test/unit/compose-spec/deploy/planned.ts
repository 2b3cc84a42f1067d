// Plans of small files for tests of the deployment: the whole stack, one service, its container, or the refusals. Three files in memory, two variables.
import { createHash } from 'node:crypto';
import { type PlanOptions, type PlanResult, planDeploy } from '#compose-spec/deploy/plan-deploy';
import { utf8Bytes } from '#compose-spec/deploy/utf8';
import type * as specs from '#protocol/generated/specs';
import { load } from '../memory-files.ts';

const FILES: Record<string, string> = { '/p/pw': 'hunter2', '/p/conf': 'a: 1', '/p/empty': '' };

export function plan(text: string, options: Partial<PlanOptions> = {}): PlanResult {
  const result = load(text, { environment: { HOME: '/root', TOKEN: 't0k' }, profiles: ['*'] });
  if (!result.ok) throw new Error(result.errors.map((error) => error.message).join('\n'));
  return planDeploy(result.project, {
    sha256Hex: (data) => createHash('sha256').update(data).digest('hex'),
    readFile: (path) => {
      const content = FILES[path];
      return content === undefined ? undefined : utf8Bytes(content);
    },
    version: '1.2.3',
    hostPlatform: 'linux/amd64',
    locate: result.locate,
    ...options,
  });
}

export function planned(
  text: string,
  options: Partial<PlanOptions> = {},
): PlanResult & { ok: true } {
  const result = plan(text, options);
  if (!result.ok) throw new Error(result.errors.map((error) => error.message).join('\n'));
  return result;
}

/** The planned service `a`, from its fields in flow style. */
export function serviceOf(fields: string, more = ''): specs.ServiceSpec {
  const { stack } = planned(`services:\n  a: {image: x, ${fields}}\n${more}`);
  const service = stack.services.find(({ name }) => name === 'p_a');
  if (service === undefined) throw new Error('no service a');
  return service;
}

export function containerOf(fields: string, more = ''): specs.ContainerSpec {
  const spec = serviceOf(fields, more).taskTemplate?.containerSpec;
  if (spec === undefined) throw new Error('no container');
  return spec;
}

/** What is refused of the service `a`, by the loader or the plan. */
export function problemsOf(
  fields: string,
  more = '',
): readonly { readonly message: string; readonly hint?: string }[] {
  const text = `services:\n  a: {image: x, ${fields}}\n${more}`;
  const loaded = load(text);
  if (!loaded.ok) return loaded.errors;
  const result = plan(text);
  return result.ok ? [] : result.errors;
}

export function errorsOf(fields: string, more = ''): string[] {
  const result = plan(`services:\n  a: {image: x, ${fields}}\n${more}`);
  return result.ok ? [] : result.errors.map(({ message }) => message);
}

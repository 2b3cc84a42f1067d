// Names for the completion of tcompose: services and profiles of the files that the command line names so far.
import type { NameQuestion } from '../completion/candidates.ts';
import { ComposeContext } from './context.ts';

/** Words that fit the argument; none for arguments that are not names of the project. */
export async function projectNames({ argument, flags }: NameQuestion): Promise<readonly string[]> {
  const isService = argument === 'service' || argument === 'services';
  if (!isService && argument !== 'service=n' && argument !== 'name') return [];
  const one = (name: string): { readonly [key: string]: string } => {
    const value = flags.get(name)?.at(-1);
    return value === undefined ? {} : { [name]: value };
  };
  const many = (name: string): { readonly [key: string]: readonly string[] } => {
    const values = flags.get(name);
    return values === undefined ? {} : { [name]: values };
  };
  const context = new ComposeContext({
    ...many('file'),
    ...many('profile'),
    ...many('envFile'),
    ...one('projectName'),
    ...one('projectDirectory'),
  });
  const { services, disabledServices } = context.load().project;
  return [...Object.keys(services), ...Object.keys(disabledServices)].sort();
}

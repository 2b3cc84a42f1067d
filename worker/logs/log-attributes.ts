// What `--details` shows of a container's lines: the labels and variables that the log options name, and the tag. They are the container's, not the line's, so
// they are looked up when the log is read, not written beside each line. Rules: Docker's (`labels`, `labels-regex`, `env`, `env-regex`, `tag`).

import type { ContainerRecord } from '../runtime/record.ts';

/** What attributes and tags can be about. */
export interface LogSubject {
  readonly labels: Readonly<Record<string, string>>;
  /** KEY=VALUE */
  readonly env: readonly string[];
  readonly id: string;
  readonly name: string;
  readonly imageId: string;
  readonly imageName: string;
  /** Host name of the node. */
  readonly hostname: string;
  /** Program and arguments. */
  readonly command: string;
}

/** A container on this host, as its log options see it. */
export function logSubject(record: ContainerRecord, hostname: string): LogSubject {
  const { config, id, name, imageId, image, path, args } = record;
  return {
    labels: config.Labels,
    env: config.Env,
    id,
    name,
    imageId,
    imageName: image,
    hostname,
    command: [path, ...args].join(' '),
  };
}

const ID_DIGITS = 12;

/** What a tag may say of its container, in Docker's words. */
const TAG_WORDS: Readonly<Record<string, (container: LogSubject) => string>> = {
  '.ID': ({ id }) => id.slice(0, ID_DIGITS),
  '.FullID': ({ id }) => id,
  '.Name': ({ name }) => name,
  '.ImageID': ({ imageId }) => imageId.replace(/^sha256:/, '').slice(0, ID_DIGITS),
  '.ImageFullID': ({ imageId }) => imageId,
  '.ImageName': ({ imageName }) => imageName,
  '.DaemonName': () => 'docker',
  '.Command': ({ command }) => command,
  '.Hostname': ({ hostname }) => hostname,
};

/** The first template of a tag that no container has a word for; undefined when all are known. */
export function unknownTagWord(tag: string): string | undefined {
  const words = [...tag.matchAll(/\{\{-?\s*(.*?)\s*-?\}\}/g)];
  return words.find(([, word = '']) => !Object.hasOwn(TAG_WORDS, word))?.[0];
}

/** The tag with its templates filled in. */
export function expandTag(tag: string, container: LogSubject): string {
  return tag.replace(
    /\{\{-?\s*(.*?)\s*-?\}\}/g,
    (whole, word: string) => TAG_WORDS[word]?.(container) ?? whole,
  );
}

/** Attributes in the order of their names. A regular expression that is none selects nothing: it was refused before. */
export function logAttributes(
  options: Readonly<Record<string, string>>,
  container: LogSubject,
): Readonly<Record<string, string>> {
  const { labels, env } = container;
  const variables = env.map((entry) => {
    const at = entry.indexOf('=');
    return at < 0 ? ([entry, ''] as const) : ([entry.slice(0, at), entry.slice(at + 1)] as const);
  });
  const isLabel = selector(options.labels, options['labels-regex']);
  const isVariable = selector(options.env, options['env-regex']);
  const found = new Map<string, string>();
  for (const [key, value] of Object.entries(labels)) if (isLabel(key)) found.set(key, value);
  for (const [key, value] of variables) if (isVariable(key)) found.set(key, value);
  if (options.tag) found.set('tag', expandTag(options.tag, container));
  return Object.fromEntries([...found].sort(([a], [b]) => (a < b ? -1 : 1)));
}

function selector(list = '', pattern = ''): (key: string) => boolean {
  const names = new Set(list.split(',').filter((name) => name !== ''));
  const regex = pattern === '' ? undefined : compiled(pattern);
  return (key) => names.has(key) || regex?.test(key) === true;
}

/** Undefined when the text is no regular expression. */
function compiled(pattern: string): RegExp | undefined {
  try {
    return new RegExp(pattern);
  } catch {
    return undefined;
  }
}

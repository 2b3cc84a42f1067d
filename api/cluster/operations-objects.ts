// The calls of /tswarm/v1 on one object of a kind that the Engine API has as well (read, make, change, remove), and those that gather what every node has of
// its own: images, volumes, figures of containers. A part of operations.ts.
import type { Role } from '#protocol/access';
import { count, flag, get, json, type Operation, post, remove, STACK, texts } from './operation.ts';

const NAMES = ['node', 'task', 'network', 'volume', 'secret', 'config'] as const;

const capital = (name: string): string => name.charAt(0).toUpperCase() + name.slice(1);

const one = (name: (typeof NAMES)[number], role: Role): Operation =>
  get(`/${name}s/{id}`, {
    id: `get${capital(name)}`,
    role,
    summary: `A ${name}, by id, name, or the beginning of an id`,
    answer: json(`engine:${capital(name)}`),
  });

const make = (name: string): Operation =>
  post(`/${name}s`, {
    id: `create${capital(name)}`,
    role: 'operator',
    summary: `Make a ${name}`,
    body: `engine:${capital(name)}Spec`,
    answer: json('CreatedObject', 201),
  });

const away = (name: string): Operation =>
  remove(`/${name}s/{id}`, {
    id: `remove${capital(name)}`,
    role: 'operator',
    summary: `Remove a ${name}`,
    answer: json('IndexAnswer'),
  });

export const OBJECT_OPERATIONS: readonly Operation[] = [
  ...NAMES.map((name) => one(name, name === 'config' ? 'operator' : 'viewer')),
  ...['service', 'network', 'secret', 'config'].flatMap((name) => [make(name), away(name)]),
  away('volume'),
  post('/nodes/{id}/update', {
    id: 'updateNode',
    role: 'operator',
    summary: 'Labels, availability, and for administrators the role of a node',
    query: { version: count('Version.Index that was read') },
    body: 'engine:NodeSpec',
    answer: json('IndexAnswer'),
  }),
  remove('/nodes/{id}', {
    id: 'removeNode',
    role: 'admin',
    summary: 'Remove a node that has left or is down',
    query: { force: flag('also one that is not down') },
    answer: json('IndexAnswer'),
  }),
  get('/images', {
    id: 'listImages',
    role: 'viewer',
    summary: 'Images of all nodes, and which nodes have them',
    answer: json('ImageList'),
    pages: { of: 'images', by: ['id'] },
  }),
  get('/local-volumes', {
    id: 'listLocalVolumes',
    role: 'viewer',
    summary: 'Volumes as they are on the nodes',
    query: { node: texts('on these nodes') },
    answer: json('LocalVolumeList'),
    pages: { of: 'volumes', by: ['node', 'name'] },
  }),
  get('/stats', {
    id: 'getStats',
    role: 'viewer',
    summary:
      'What the running containers of all nodes use: counters, of which a client shows differences',
    query: { stack: STACK, service: texts('of these services'), node: texts('on these nodes') },
    answer: json('StatsList'),
    pages: { of: 'containers', by: ['id'] },
  }),
  get('/node/stats', {
    id: 'getNodeStats',
    role: 'viewer',
    summary: 'The same of this node alone, also without a cluster',
    answer: json('ContainerStats[]'),
  }),
  get('/node/leftovers', {
    id: 'listNodeLeftovers',
    role: 'operator',
    summary: 'What containers have left on the host of this node that no container has',
    answer: json('NodeLeftover[]'),
  }),
  remove('/node/leftovers', {
    id: 'removeNodeLeftovers',
    role: 'admin',
    summary: 'Takes that away; the answer is what is still there',
    answer: json('NodeLeftover[]'),
  }),
];

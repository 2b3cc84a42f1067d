// Single words and numbers of `tswarm why`.
const FILTERS: Readonly<Record<string, string>> = {
  ready: 'not available for new tasks',
  resource: 'too little left of what is reserved',
  plugin: 'a driver is missing',
  constraint: 'the constraints are not met',
  platform: 'another platform',
  'host-port': 'a published port is in use',
  'max-replicas': 'as many replicas as allowed on one node',
  volume: 'a volume is on another node',
};

export function filterWords(name: string): string {
  return FILTERS[name] ?? name;
}

const REPLACED: Readonly<Record<string, string>> = {
  failed: 'it failed',
  completed: 'it ended',
  updated: 'the service was updated',
  'node-down': 'its node is down',
  'node-drained': 'its node is drained',
  'node-removed': 'its node was removed',
  scaled: 'the service was scaled down',
  unknown: 'it was stopped',
};

export function replacedWords(code: string): string {
  return REPLACED[code] ?? code;
}

/** 75000 → "1 min 15 s". */
export function since(ms: number): string {
  const seconds = Math.round(ms / 1000);
  const minutes = Math.floor(seconds / 60);
  return minutes === 0 ? `${seconds} s` : `${minutes} min ${seconds % 60} s`;
}

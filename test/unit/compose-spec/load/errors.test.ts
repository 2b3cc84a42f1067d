// Goal: each mistake of compose.md §2.10 is told in compose-go's words, with place and hint; all at
// once. Method: one small file per mistake.

import { describe, expect, test } from 'vitest';
import { errorsOf, load } from '../memory-files.ts';

const V = 'validating /p/compose.yaml:';
const S = 'services:\n  a:\n    image: x\n';

describe('sentences', () => {
  test.each([
    [`${S}    foo: 1\n`, `${V} services.a additional properties 'foo' not allowed`],
    ['foo: 1\n', `${V}  additional properties 'foo' not allowed`],
    [`${S}    ports: 80\n`, `${V} services.a.ports must be a array`],
    ['services: [a]\n', `${V} services must be a mapping`],
    ['services:\n  a: x\n', `${V} services.a must be a mapping`],
    [`${S}    scale: {}\n`, `${V} services.a.scale must be a integer or string`],
    [`${S}    command: [1]\n`, `${V} services.a.command.0 must be a string`],
    [
      `${S}    depends_on: {b: {condition: up}}\n`,
      `value must be one of 'service_started', 'service_healthy', 'service_completed_successfully'`,
    ],
    [`${S}    depends_on: {b: {}}\n`, `${V} services.a.depends_on.b missing property 'condition'`],
    [
      `${S}    security_opt: [x, y, x]\n`,
      `${V} services.a.security_opt items at 0 and 2 are equal`,
    ],
    [`${S}    oom_score_adj: 5000\n`, 'must be less than or equal to 1000'],
    [`${S}    container_name: x\n`, "does not match pattern '[a-zA-Z0-9][a-zA-Z0-9_.-]+'"],
    ['services: {"a b": {image: x}}\n', `${V} services additional properties 'a b' not allowed`],
    [
      'services: {a: {}}\n',
      'service "a" has neither an image nor a build context specified: invalid compose project',
    ],
    [
      `${S}    networks: [n]\n`,
      'service "a" refers to undefined network n: invalid compose project',
    ],
    [
      `${S}    volumes: ["vol:/x"]\n`,
      'service "a" refers to undefined volume vol: invalid compose project',
    ],
    [`${S}    configs: [c]\n`, 'service "a" refers to undefined config c: invalid compose project'],
    [`${S}    secrets: [s]\n`, 'service "a" refers to undefined secret s: invalid compose project'],
    [`${S}    models: [m]\n`, 'service "a" refers to undefined model m: invalid compose project'],
    [
      'services: {a: {build: {secrets: [s]}}}\n',
      'service "a" refers to undefined build secret s: invalid compose project',
    ],
    [
      `${S}    depends_on: [b]\n`,
      'service "a" depends on undefined service "b": invalid compose project',
    ],
    [
      `${S}    network_mode: host\n    networks: [default]\n`,
      'service a declares mutually exclusive `network_mode` and `networks`',
    ],
    [
      'configs: {c: {file: ./a, content: b}}\n',
      'configs.c: file|environment|content attributes are mutually exclusive',
    ],
    ['configs: {c: {}}\n', 'configs.c: one of file|environment|content must be set'],
    ['secrets: {s: {}}\n', 'secrets.s: one of file|environment must be set'],
    [
      'volumes: {v: {external: true, driver: x}}\n',
      'volumes.v: conflicting parameters "external" and "driver" specified',
    ],
    [
      `${S}    mem_limit: 1g\n    deploy: {resources: {limits: {memory: 2g}}}\n`,
      `services.a: can't set distinct values on 'mem_limit' and 'deploy.resources.limits.memory'`,
    ],
    [
      `${S}    scale: 2\n    deploy: {replicas: 3}\n`,
      `services.a: can't set distinct values on 'scale' and 'deploy.replicas'`,
    ],
    [
      `${S}    scale: 2\n    container_name: web\n`,
      `services.a: can't set container_name and scale as container name must be unique`,
    ],
    [
      `${S}    healthcheck: {test: [a]}\n`,
      'healthcheck.test must start either by "CMD", "CMD-SHELL" or "NONE"',
    ],
    [
      `${S}    develop: {watch: [{path: ., action: sync}]}\n`,
      'services.a.develop.watch: target is required for non-rebuild actions',
    ],
    [
      `${S}    tmpfs: /x\n    volumes: ["/x"]\n`,
      'services.a.volumes[0]: target /x already mounted as services.a.tmpfs[0]',
    ],
    [`${S}    ports: ["99999"]\n`, 'invalid containerPort: 99999'],
    [
      `${S}    ports: [{target: 80, host_ip: nope}]\n`,
      'services.a.ports.[]: invalid ip address: nope',
    ],
    [
      `${S}    ports: [{published: 80}]\n`,
      'service ports services.a.ports.[0] is missing a target port',
    ],
    [
      `${S}    volumes: [{type: tmpfs}]\n`,
      'service volume services.a.volumes.[0] is missing a mount target',
    ],
    [`${S}    mem_limit: 1zz\n`, `'services[a].mem_limit' invalid suffix: 'zz'`],
    [
      `${S}    healthcheck: {interval: 10}\n`,
      `${V} services.a.healthcheck.interval must be a string`,
    ],
    [`${S}    stop_grace_period: "10"\n`, 'missing unit in duration "10"'],
    [
      `${S}    privileged: maybe\n`,
      'error while interpolating services.a.privileged: failed to cast to expected type: invalid boolean: maybe',
    ],
    [
      `${S}    scale: two\n`,
      'failed to cast to expected type: strconv.Atoi: parsing "two": invalid syntax',
    ],
    [
      `${S}    env_file: [x.env]\n`,
      'env file /p/x.env not found: stat /p/x.env: no such file or directory',
    ],
    [
      `${S}    environment: ["A =1"]\n`,
      'environment variable A  is declared with a trailing space',
    ],
    [`${S}    volumes: [":/x"]\n`, 'invalid spec: :/x: empty section between colons'],
    [`${S}    extra_hosts: [h]\n`, 'invalid additional host, missing IP: h'],
    [`${S}    command: "a 'b"\n`, 'invalid command line string'],
    [
      'services: {a: {build: {dockerfile: D, dockerfile_inline: FROM x}}}\n',
      'mutualy exclusive dockerfile and dockerfile_inline',
    ],
  ])('%j', (text, sentence) => {
    expect(errorsOf(text)).toEqual(expect.arrayContaining([expect.stringContaining(sentence)]));
  });

  test('a ring of dependencies is spelled out', () => {
    const text =
      'services:\n  a: {image: x, depends_on: [b]}\n  b: {image: x, depends_on: [c]}\n  c: {image: x, links: [a]}\n';
    expect(errorsOf(text)).toEqual(['dependency cycle detected: a -> b -> c -> a']);
  });
});

describe('all at once', () => {
  const text = `services:
  web:
    imgae: nginx
    ports: ["80:800000"]
    mem_limit: 5zz
    replicas: 2
    networks: [fornt]
  db:
    image: \${DB:?say which}
    depends_on: [wbe]
    restart: {x: 1}
networks:
  front: {}
`;

  test('every mistake has its place, its path and where possible a hint', () => {
    const result = load(text);
    if (result.ok) throw new Error('accepted');
    const seen = result.errors.map(({ line, column, path, hint }) => [line, column, path, hint]);
    expect(seen).toEqual(
      expect.arrayContaining([
        [3, 5, 'services.web', expect.stringContaining('did you mean `image`')],
        [3, 5, 'services.web', expect.stringContaining('`replicas` belongs under `deploy`')],
        [4, 13, 'services.web.ports.0', 'a port is a number from 1 to 65535'],
        [5, 16, 'services.web.mem_limit', undefined],
        [7, 16, 'services.web.networks.fornt', 'did you mean `front`?'],
        [9, 12, 'services.db.image', 'set DB in the environment or in .env'],
        [10, 18, 'services.db.depends_on.wbe', 'did you mean `web`?'],
        [11, 14, 'services.db.restart', undefined],
      ]),
    );
    // Nothing that only follows from another mistake: no complaint about a missing image.
    expect(result.errors).toHaveLength(7);
  });

  test('an error says file, line, column and what was meant', () => {
    const result = load('services:\n  a:\n    image: x\n    prots: []\n');
    if (result.ok) throw new Error('accepted');
    expect(result.errors).toEqual([
      expect.objectContaining({
        message: `${V} services.a additional properties 'prots' not allowed`,
        file: '/p/compose.yaml',
        path: 'services.a',
        line: 4,
        column: 5,
        sourceLine: '    prots: []',
        hint: 'did you mean `ports` instead of `prots`?',
      }),
    ]);
  });

  test('a dependency that a profile turns off is said to be so', () => {
    const result = load(
      'services:\n  a: {image: x, depends_on: [b]}\n  b: {image: x, profiles: [dev]}\n',
    );
    if (result.ok) throw new Error('accepted');
    expect(result.errors[0]?.hint).toBe('b is disabled by profile dev; add --profile dev');
  });
});

// biome-ignore-all lint/suspicious/noTemplateCurlyInString: templates are what is tested
// Goal: the right files, variables, names and profiles make up a project (compose.md §2.1–2.3, §2.6).

import { describe, expect, test } from 'vitest';
import { withoutUnusedResources } from '#compose-spec/load/profiles';
import { errorsOf, load, project } from '../memory-files.ts';

const A = 'services: {a: {image: "x:${TAG:-none}"}}\n';

describe('which files', () => {
  test('the usual names, with one override beside them, in the folder or above', () => {
    const files = {
      '/p/docker-compose.yml': A,
      '/p/compose.override.yaml': 'services: {a: {user: u}}\n',
      '/p/sub/other.txt': '',
    };
    const loaded = project(files, { cwd: '/p/sub/deeper' });
    expect(loaded.configFiles).toEqual(['/p/docker-compose.yml', '/p/compose.override.yaml']);
    expect(loaded.workingDir).toBe('/p');
    expect(loaded.services.a?.user).toBe('u');
  });

  test('of several names the first counts, and that is said', () => {
    const result = load({ '/p/compose.yaml': A, '/p/compose.yml': A });
    expect(result.warnings.map(({ message }) => message)).toEqual([
      'Found multiple config files with supported names: /p/compose.yaml, /p/compose.yml',
      'Using /p/compose.yaml',
    ]);
  });

  test('-f in order, from standard input too, relative paths from the first', () => {
    const files = { '/q/a.yaml': 'services: {a: {image: x, build: ./b}}\n' };
    const loaded = project(files, {
      configFiles: ['../q/a.yaml', '-'],
      stdin: 'services: {a: {image: y}}\n',
    });
    expect(loaded.services.a).toMatchObject({ image: 'y', build: { context: '/q/b' } });
    expect(loaded.name).toBe('q');
  });

  test('COMPOSE_FILE, also from .env, with its separator', () => {
    const files = {
      '/p/.env': 'COMPOSE_FILE=a.yaml;b.yaml\nCOMPOSE_PATH_SEPARATOR=;\n',
      '/p/a.yaml': A,
      '/p/b.yaml': 'services: {a: {user: u}}\n',
    };
    expect(project(files).services.a?.user).toBe('u');
  });

  test('no file, a missing file, a folder, a remote file', () => {
    expect(errorsOf({ '/p/x': '' })).toEqual(['no configuration file provided: not found']);
    expect(errorsOf({}, { configFiles: ['x.yaml'] })).toEqual([
      'open /p/x.yaml: no such file or directory',
    ]);
    expect(errorsOf({ '/p/d/x': '' }, { configFiles: ['d'] })).toEqual([
      'read /p/d: is a directory',
    ]);
    expect(errorsOf({}, { configFiles: ['https://h/c.yaml'] })).toEqual([
      'https://h/c.yaml: remote files are not supported',
    ]);
  });
});

describe('variables', () => {
  test('process over env files, later env file over earlier', () => {
    const files = {
      '/p/compose.yaml': 'services: {a: {image: "$A$B$C"}}\n',
      '/p/1': 'A=1\nB=1\nC=1',
      '/p/2': 'B=2\nC=2',
    };
    const input = { envFiles: ['1', '2'], environment: { C: '3' } };
    const loaded = project(files, input);
    expect(loaded.services.a?.image).toBe('123');
    expect(loaded.envFiles).toEqual(['/p/1', '/p/2']);
  });

  test('.env is found beside the -f file, unless turned off', () => {
    const files = { '/q/compose.yaml': A, '/q/.env': 'TAG=env' };
    const input = { configFiles: ['/q/compose.yaml'] };
    expect(project(files, input).services.a?.image).toBe('x:env');
    const environment = { COMPOSE_DISABLE_ENV_FILE: '1' };
    expect(project(files, { ...input, environment }).services.a?.image).toBe('x:none');
  });

  test('a missing or wrong env file', () => {
    expect(errorsOf(A, { envFiles: ['gone'] })).toContain("couldn't find env file: /p/gone");
    const result = load({ '/p/compose.yaml': A, '/p/.env': 'A=1\nB C=2\n' });
    expect(result).toMatchObject({
      ok: false,
      errors: [{ message: 'failed to read /p/.env: line 2: key cannot contain a space', line: 2 }],
    });
  });

  test('containers: environment over env_file, later env_file over earlier, value-less from outside', () => {
    const files = {
      '/p/compose.yaml':
        'services:\n  a:\n    image: x\n    env_file: [one, {path: two, format: raw}, {path: gone, required: false}]\n    environment: {C: own, OUT: , NO: }\n',
      '/p/one': 'A=1\nB=${OUT}1\nC=1\n',
      '/p/two': 'D="${A}"\n',
    };
    const { services } = project(files, { environment: { OUT: 'o' } });
    expect(services.a?.environment).toEqual({
      A: '1',
      B: 'o1',
      C: 'own',
      D: '"${A}"',
      OUT: 'o',
      NO: null,
    });
  });

  test('unset variables are warned of once; --no-interpolate leaves them', () => {
    const text = 'services: {a: {image: "$X$X"}, b: {image: "y$X"}}\n';
    const result = load(text);
    expect(result.warnings).toEqual([
      {
        message: 'The "X" variable is not set. Defaulting to a blank string.',
        file: '/p/compose.yaml',
        line: 1,
        column: 23,
        path: 'services.a.image',
      },
    ]);
    expect(project(text, { skipInterpolation: true }).services.a?.image).toBe('$X$X');
  });
});

describe('project name', () => {
  test.each([
    [{ projectName: 'flag' }, 'flag'],
    [{ environment: { COMPOSE_PROJECT_NAME: 'env' } }, 'env'],
    [{ environment: { N: 'A b!' } }, 'my-ab'],
  ])('%j', (input, name) => {
    const text =
      'name: "_My-${N:-}"\nservices: {a: {image: x, hostname: "$COMPOSE_PROJECT_NAME"}}\n';
    const loaded = project(text, input);
    expect(loaded.name).toBe(name);
    expect(loaded.services.a?.hostname).toBe(name);
  });

  test('the folder otherwise; a wrong one is refused', () => {
    expect(project({ '/p/My App.2/c.yaml': A }, { configFiles: ['My App.2/c.yaml'] }).name).toBe(
      'myapp2',
    );
    expect(errorsOf(A, { projectName: 'No Good' })).toEqual([
      'invalid project name "No Good": must consist only of lowercase alphanumeric characters, hyphens, and underscores as well as start with a letter or number',
    ]);
    expect(errorsOf({ '/---/c.yaml': A }, { configFiles: ['/---/c.yaml'] })).toEqual([
      'project name must not be empty',
    ]);
  });

  test('objects are named after it, unless they have a name or are external', () => {
    const text = 'services: {a: {image: x}}\nvolumes: {v: , w: {name: own}, e: {external: true}}\n';
    const { volumes, networks } = project(text, { projectName: 'shop' });
    expect(Object.values(volumes).map(({ name }) => name)).toEqual(['shop_v', 'own', 'e']);
    expect(networks.default?.name).toBe('shop_default');
  });
});

describe('extends', () => {
  const BASE =
    'services:\n  base:\n    image: b\n    build: ./ctx\n    env_file: e.env\n    labels: {a: 1}\n    depends_on: [db]\n';

  test('from another folder: paths are seen from there, settings merge, dependencies come along', () => {
    const files = {
      '/p/compose.yaml':
        'services:\n  db: {image: d}\n  web:\n    extends: {file: ../lib/base.yaml, service: base}\n    labels: {b: 2}\n',
      '/lib/base.yaml': BASE,
      '/lib/e.env': 'E=1',
    };
    expect(project(files).services.web).toMatchObject({
      image: 'b',
      build: { context: '/lib/ctx' },
      environment: { E: '1' },
      labels: { a: '1', b: '2' },
      depends_on: { db: { condition: 'service_started', required: true } },
    });
  });

  test('chains, !reset and !override against the base', () => {
    const text =
      'services:\n  one: {image: x, ports: ["1:1"], labels: {a: 1}}\n  two: {extends: one, ports: !reset []}\n  three: {extends: {service: two}, labels: !override {c: 3}}\n';
    const { services } = project(text);
    expect(services.three).toMatchObject({ image: 'x', labels: { c: '3' } });
    expect(services.three).not.toHaveProperty('ports');
  });

  test.each([
    [
      'services: {a: {image: x, extends: zz}}\n',
      'cannot extend service "a" in /p/compose.yaml: service "zz" not found',
    ],
    [
      'services: {a: {image: x, extends: {service: zz, file: o.yaml}}}\n',
      'cannot extend service "a" in /p/compose.yaml: service "zz" not found in o.yaml',
    ],
    [
      'services: {a: {image: x, extends: {service: zz, file: n.yaml}}}\n',
      'open /p/n.yaml: no such file or directory',
    ],
    [
      'services: {a: {image: x, extends: b}, b: {image: x, extends: a}}\n',
      'Circular reference:\n  a in /p/compose.yaml\n  extends b in /p/compose.yaml\n  extends a in /p/compose.yaml',
    ],
    [
      'services: {a: {image: x, extends: a}}\n',
      'Circular reference:\n  a in /p/compose.yaml\n  extends a in /p/compose.yaml',
    ],
  ])('%j', (text, message) => {
    const files = { '/p/compose.yaml': text, '/p/o.yaml': 'services: {o: {image: x}}\n' };
    expect(errorsOf(files)).toContain(message);
  });
});

describe('include', () => {
  test('own folder, own variables under the outer ones, local settings over included ones', () => {
    const files = {
      '/p/compose.yaml':
        'include: [sub/compose.yaml]\nservices:\n  web: {image: w, depends_on: [db]}\n  db: {labels: {l: local}}\n',
      '/p/sub/compose.yaml':
        'name: other\nservices:\n  db:\n    image: "db:$V"\n    build: .\n    environment: [W, COST=$$5]\n    labels: {l: sub, k: sub}\nvolumes: {v: {}}\n',
      '/p/sub/.env': 'V=sub\nW=sub\n',
    };
    const loaded = project(files, { environment: { W: 'outer' } });
    expect(loaded.name).toBe('p');
    expect(loaded.services.db).toMatchObject({
      image: 'db:sub',
      build: { context: '/p/sub' },
      environment: { W: 'outer', COST: '$5' },
      labels: { l: 'local', k: 'sub' },
    });
    expect(loaded.volumes.v?.name).toBe('p_v');
  });

  test('with overrides, another folder and other variables', () => {
    const files = {
      '/p/compose.yaml':
        'include:\n  - path: [sub/a.yaml, sub/b.yaml]\n    project_directory: other\n    env_file: vars\n',
      '/p/sub/a.yaml': 'services: {a: {image: "$V", volumes: ["./d:/d"]}}\n',
      '/p/sub/b.yaml': 'services: {a: {user: u}}\n',
      '/p/vars': 'V=fromfile',
    };
    expect(project(files).services.a).toMatchObject({
      image: 'fromfile',
      user: 'u',
      volumes: [{ source: '/p/other/d' }],
    });
  });

  test.each([
    ['include: [gone.yaml]\n', 'open /p/gone.yaml: no such file or directory'],
    [
      'include: [compose.yaml]\n',
      'include cycle detected:\n/p/compose.yaml\n include /p/compose.yaml',
    ],
    ['include: [{path: x.yaml, env_file: gone}]\n', 'stat /p/gone: no such file or directory'],
    [
      'include: [{paht: x.yaml}]\n',
      `validating /p/compose.yaml: include.0 additional properties 'paht' not allowed`,
    ],
    ['include: x.yaml\n', 'validating /p/compose.yaml: include must be a array'],
  ])('%j', (text, message) => {
    expect(errorsOf({ '/p/compose.yaml': text, '/p/x.yaml': A })).toContain(message);
  });
});

describe('profiles', () => {
  const text =
    'services:\n  a: {image: x}\n  b: {image: x, profiles: [dev, test]}\n  c: {image: x, profiles: [prod], networks: [n]}\nnetworks: {n: {}}\n';
  test.each([
    [{}, ['a']],
    [{ profiles: ['test'] }, ['a', 'b']],
    [{ profiles: ['*'] }, ['a', 'b', 'c']],
    [{ environment: { COMPOSE_PROFILES: 'prod,dev' } }, ['a', 'b', 'c']],
    [{ services: ['c'] }, ['a', 'c']],
  ])('%j', (input, names) => {
    const loaded = project(text, input);
    expect(Object.keys(loaded.services)).toEqual(names);
    const pruned = withoutUnusedResources(loaded);
    expect(Object.hasOwn(pruned.networks, 'n')).toBe(names.includes('c'));
  });
});

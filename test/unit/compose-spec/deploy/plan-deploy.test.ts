// Goal: a project becomes the cluster objects that docker compose and docker stack users expect, and what cannot be done is refused by name: keys, names,
// labels, secrets, configs. Method: small files; fields of the planned stack compared. What a service becomes: plan-service.test.ts.
import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { PlanResult } from '#compose-spec/deploy/plan-deploy';
import { BUILD_SUPPORT, SERVICE_SUPPORT } from '#compose-spec/deploy/support';
import { SERVICE_KEYS } from '#compose-spec/load/schema';
import * as specs from '#protocol/generated/specs';
import { containerOf, errorsOf, plan, planned } from './planned.ts';

describe('keys', () => {
  test('the table says of each of the 93 keys what becomes of it', () => {
    expect(Object.keys(SERVICE_SUPPORT).sort()).toEqual(Object.keys(SERVICE_KEYS).sort());
    expect(Object.keys(SERVICE_SUPPORT)).toHaveLength(93);
    const build = SERVICE_KEYS.build;
    const keys = build !== undefined && 'oneOf' in build ? build.oneOf[1]?.keys : undefined;
    expect(Object.keys(BUILD_SUPPORT).sort()).toEqual(Object.keys(keys ?? {}).sort());
  });

  test.each([
    ['cpu_count: 2', 'services.a.cpu_count: not supported by this version of tswarm (it only'],
    ['external_links: ["db:store:x"]', 'services.a.external_links.0: db:store:x is no link'],
    [
      'cpu_rt_period: 10',
      'services.a.cpu_rt_period: not supported by this version of tswarm (real-time',
    ],
    ['network_mode: vpn', 'services.a.network_mode: unknown mode vpn'],
    ['pid: "container"', 'services.a.pid: unknown mode container'],
    [
      'logging: {driver: awslogs}',
      "services.a.logging.driver: logger: no log driver named 'awslogs' is registered",
    ],
    ['logging: {driver: gelf}', 'services.a.logging.options: gelf: gelf-address is a required'],
    [
      'logging: {driver: syslog, options: {syslog-facility: radio}}',
      'services.a.logging.options.syslog-facility: log opt syslog-facility: invalid syslog facility',
    ],
    [
      'logging: {driver: none, options: {tag: x}}',
      "services.a.logging.options.tag: unknown log opt 'tag' for none log driver",
    ],
    ['security_opt: [label=colour:red]', 'services.a.security_opt.0: unknown option label=colour'],
    ['security_opt: [seccomp=none.json]', 'services.a.security_opt.0: /p/none.json is missing'],
    ['security_opt: [seccomp=conf]', 'services.a.security_opt.0: /p/conf is no seccomp profile'],
    ['volumes: [{type: npipe, source: i, target: /i}]', 'services.a.volumes.0.type: not supported'],
    ['volumes: [{type: cluster, source: i, target: /i}]', 'services.a.volumes.0.type: not'],
    [
      'volumes: [{type: image, source: i, target: /i, image: {subpath: ../x}}]',
      'services.a.volumes.0.image.subpath: ../x does not stay in the image',
    ],
    ['build: {isolation: hyperv}', 'services.a.build.isolation: not supported'],
    ['build: {entitlements: [x]}', 'services.a.build.entitlements.0: unknown entitlement x'],
    [
      'build: {additional_contexts: {src: "ftp://h/x.tgz"}}',
      'services.a.build.additional_contexts.src: ftp://h/x.tgz is no folder, git repository or http',
    ],
    ['build: "ftp://h/x.tgz"', 'services.a.build.context: ftp://h/x.tgz is no folder'],
    ['pull_policy: refresh, pull_refresh_after: soon', 'services.a.pull_refresh_after: unknown'],
    [
      'ports: ["8000-8010:80", "8005:81"]',
      'services.a.ports.1: port 8005/tcp is published by this service already',
    ],
    [
      'networks: {default: {interface_name: a/b}}',
      'services.a.networks.default.interface_name: a/b is no name of an interface',
    ],
    [
      'networks: {default: {link_local_ips: [10.0.0.1]}}',
      'services.a.networks.default.link_local_ips.0: 10.0.0.1 is no link-local address',
    ],
    [
      'networks: {default: {driver_opts: {x: y}}}',
      'services.a.networks.default.driver_opts.x: unknown option of an interface',
    ],
    ['networks: {default: {mac_address: "2"}}', 'services.a.networks.default.mac_address: 2 is no'],
    ['devices: [gpu]', 'services.a.devices.0: gpu is no path'],
  ])('%s is refused by name', (fields, message) => {
    expect(errorsOf(fields)).toEqual([expect.stringContaining(message)]);
  });

  test('a refusal has the line and says what to do', () => {
    const result = plan('services:\n  a:\n    image: x\n    provider: {type: x}\n');
    expect(result).toMatchObject({
      ok: false,
      errors: [
        {
          code: 'unsupported',
          line: 4,
          column: 5,
          file: '/p/compose.yaml',
          hint: 'remove `provider`',
        },
      ],
    });
  });

  test('all refusals come at once', () => {
    expect(
      errorsOf('cpu_count: 1, isolation: hyperv, platform: linux/arm64, mem_limit: 1k'),
    ).toHaveLength(4);
  });

  test('what asks for nothing special is no reason to refuse', () => {
    expect(errorsOf('isolation: default, x-mine: 1, annotations: {a: b}, pid: null')).toEqual([]);
  });

  test('what does nothing is mentioned', () => {
    const { notices } = planned(
      'services:\n  a: {build: {cache_from: [x]}, develop: {watch: []}}\n',
    );
    expect(notices.map(({ path }) => path)).toEqual(['services.a.build.cache_from']);
  });
});

describe('names and labels', () => {
  const text = `
services:
  web:
    build: .
    labels: {own: l}
    deploy: {labels: {dep: l}}
    networks: {front: {aliases: [www]}}
    depends_on: {db: {condition: service_healthy, restart: true}}
  db: {image: d, networks: [front], container_name: mydb}
networks: {front: {labels: {n: l}}}
`;
  test('services, images, containers, networks', () => {
    const { stack, images } = planned(text);
    const [web, db] = stack.services;
    expect(web).toMatchObject({
      name: 'p_web',
      labels: {
        dep: 'l',
        'com.docker.compose.project': 'p',
        'com.docker.compose.service': 'web',
        'com.docker.compose.project.working_dir': '/p',
        'com.docker.compose.project.config_files': '/p/compose.yaml',
        'com.docker.compose.depends_on': 'db:service_healthy:true',
        'com.docker.compose.version': '1.2.3',
        'com.docker.stack.namespace': 'p',
        'com.docker.stack.image': 'p-web',
      },
      taskTemplate: {
        containerSpec: {
          image: 'p-web',
          containerName: 'p-web-{slot}',
          labels: {
            own: 'l',
            'com.docker.compose.project': 'p',
            'com.docker.compose.service': 'web',
            'com.docker.compose.oneoff': 'False',
            'com.docker.compose.config-hash': expect.stringMatching(/^[0-9a-f]{64}$/),
          },
        },
        networks: [{ target: 'p_front', aliases: ['web', 'www'] }],
        dependsOn: [
          {
            service: 'p_db',
            condition: specs.DependencyCondition.HEALTHY,
            restart: true,
            required: true,
          },
        ],
      },
    });
    expect(db?.taskTemplate?.containerSpec?.containerName).toBe('mydb');
    expect(db?.taskTemplate?.networks[0]?.aliases).toEqual(['db', 'mydb']);
    expect(stack.networks).toMatchObject([
      {
        name: 'p_front',
        driverConfig: { name: 'overlay' },
        labels: {
          n: 'l',
          'com.docker.compose.network': 'front',
          'com.docker.compose.project': 'p',
        },
      },
    ]);
    expect(images).toMatchObject([
      { service: 'web', image: 'p-web', build: { context: '/p', dockerfile: 'Dockerfile' } },
      { service: 'db', image: 'd' },
    ]);
    expect(images[1]).not.toHaveProperty('build');
    expect(specs.StackSpec.decode(specs.StackSpec.encode(stack))).toEqual(stack);
  });

  test('the config hash changes with the container, and only with it', () => {
    const hash = (fields: string, more = ''): string | undefined =>
      containerOf(fields, more).labels['com.docker.compose.config-hash'];
    const base = hash('user: u');
    for (const same of [
      'scale: 3',
      'deploy: {replicas: 2}',
      'deploy: {update_config: {parallelism: 2}, labels: {a: b}}',
      'pull_policy: always',
      'profiles: [x]',
    ]) {
      expect(hash(`user: u, ${same}`)).toBe(base);
    }
    expect(hash('user: u, depends_on: [b]', '  b: {image: y}\n')).toBe(base);
    expect(hash('user: v')).not.toBe(base);
    expect(hash('user: u, deploy: {resources: {limits: {pids: 5}}}')).not.toBe(base);
    expect(hash('user: u, environment: {A: 1}')).not.toBe(base);
  });

  test('an image built anew under the same name replaces the containers', () => {
    const labels = (id: string): unknown =>
      planned('services: {a: {build: .}}\n', { imageIds: { a: id } }).stack.services[0]
        ?.taskTemplate?.containerSpec?.labels;
    expect(labels('sha256:1')).toMatchObject({ 'com.docker.compose.image': 'sha256:1' });
    expect(labels('sha256:2')).not.toEqual(labels('sha256:1'));
  });

  test('an alias from `links` is given to the other service, unless it would name two', () => {
    const text = 'services:\n  a: {image: x, links: ["db:store"]}\n  db: {image: y}\n';
    const db = planned(text).stack.services[1];
    expect(db?.taskTemplate?.networks[0]?.aliases).toEqual(['db', 'store']);
    const clash =
      'services:\n  a: {image: x, links: ["b:s"]}\n  b: {image: y}\n  c: {image: x, links: ["d:s"]}\n  d: {image: y}\n';
    expect(plan(clash)).toMatchObject({ ok: false, errors: [{ path: 'services.c.links.0' }] });
  });
});

describe('secrets and configs', () => {
  const objects = (password: string): PlanResult & { ok: true } =>
    planned(
      `services:\n  a: {image: x, secrets: [s, {source: e, target: tok, uid: "5", mode: 0400}, ext], configs: [c]}\nsecrets: {s: {environment: TOKEN}, e: {file: ./pw}, ext: {external: true, name: theirs}}\nconfigs: {c: {content: "${password}"}}\n`,
    );

  test('carry a hash of their content in the name, which the services refer to', () => {
    const { stack, external } = objects('one');
    const [s, e] = stack.secrets;
    const digest = createHash('sha256').update('t0k').digest('hex');
    expect(s?.name).toBe(`p_s-${digest.slice(0, 8)}`);
    expect(new TextDecoder().decode(e?.data)).toBe('hunter2');
    const spec = stack.services[0]?.taskTemplate?.containerSpec;
    expect(spec?.secrets).toMatchObject([
      { secretName: s?.name, file: { name: 's', uid: '0', gid: '0', mode: 0o444 } },
      { secretName: e?.name, file: { name: 'tok', uid: '5', mode: 0o400 } },
      { secretName: 'theirs', file: { name: 'ext' } },
    ]);
    expect(spec?.configs).toMatchObject([
      { configName: stack.configs[0]?.name, file: { name: '/c', mode: 0o444 } },
    ]);
    expect(external.secrets).toEqual(['theirs']);
  });

  test('new content is a new name, and rolls the services', () => {
    const [one, two] = [objects('one').stack, objects('two').stack];
    expect(one.configs[0]?.name).not.toBe(two.configs[0]?.name);
    expect(one.services[0]?.taskTemplate).not.toEqual(two.services[0]?.taskTemplate);
    expect(objects('one').stack.services).toEqual(one.services);
  });

  test('the stored project does not hold secrets', () => {
    expect(new TextDecoder().decode(objects('x').stack.project)).not.toMatch(/hunter2|t0k/);
  });

  test.each([
    ['{file: ./gone}', 'secrets.s.file: /p/gone is missing or cannot be read'],
    ['{file: ./empty}', 'secrets.s: has no content'],
    ['{environment: NOPE}', 'secrets.s.environment: variable NOPE is not set'],
  ])('%s is refused', (secret, message) => {
    expect(errorsOf('secrets: [s]', `secrets: {s: ${secret}}\n`)).toEqual([message]);
  });

  test('long names are cut, not refused', () => {
    const name = 'n'.repeat(80);
    const { stack } = planned(
      `services: {a: {image: x, configs: [c]}}\nconfigs: {c: {file: ./conf, name: ${name}}}\n`,
    );
    expect(stack.configs[0]?.name).toHaveLength(64);
  });
});

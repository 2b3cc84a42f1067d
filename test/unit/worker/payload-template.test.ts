// Goal: templates in secrets and configs give what Swarm's do, byte for byte around them, and what
// they cannot give is an error with the name. Method: the pure expansion over a task.
import { describe, expect, it } from 'vitest';
import { Task } from '#protocol/generated/objects';
import {
  ConfigReference,
  ContainerSpec,
  FileTarget,
  SecretReference,
  TaskSpec,
} from '#protocol/generated/specs';
import { expandPayload } from '#worker/payload-template';

const task = Task.create({
  id: 't1',
  serviceId: 's1',
  serviceName: 'web',
  slot: 3,
  labels: { tier: 'front' },
  spec: TaskSpec.create({
    containerSpec: ContainerSpec.create({
      secrets: [
        SecretReference.create({
          secretId: 'sec1',
          secretName: 'pw',
          file: FileTarget.create({ name: 'db' }),
        }),
      ],
      configs: [ConfigReference.create({ configId: 'con1', configName: 'site' })],
    }),
  }),
});
const node = { id: 'n1', hostname: 'höst', os: 'linux', architecture: 'x86_64' };
const stored = new Map([
  ['sec1', Buffer.from('{{ .Task.ID }} s€cret')],
  ['con1', Buffer.from([0xff, 0x00])],
]);

const expand = (payload: string | Uint8Array): Buffer =>
  Buffer.from(
    expandPayload(
      Buffer.from(payload),
      { task, node, env: ['A=1', 'B=x=y'], data: (id) => stored.get(id) },
      'config c',
    ),
  );

describe('a template', () => {
  it('knows the words of Swarm', () => {
    expect(expand('{{.Service.Name}}.{{ .Task.Slot }}@{{- .Node.Hostname -}}').toString()).toBe(
      'web.3@höst',
    );
    expect(expand('{{ index .Service.Labels "tier" }}').toString()).toBe('front');
  });

  it('takes what the container has at a target, as it is', () => {
    expect(expand('p={{ secret "db" }};').toString()).toBe('p={{ .Task.ID }} s€cret;');
    expect(expand('{{ config "site" }}')).toEqual(Buffer.from([0xff, 0x00]));
    expect(expand('{{env "B"}}{{ env "none" }}').toString()).toBe('x=y');
  });

  it('leaves the bytes around it alone', () => {
    const bytes = Buffer.from([0x80, 0xfe, 0x0a]);
    expect(expand(Buffer.concat([bytes, Buffer.from('{{.Task.ID}}'), bytes]))).toEqual(
      Buffer.concat([bytes, Buffer.from('t1'), bytes]),
    );
    expect(expand('{ no {template} }').toString()).toBe('{ no {template} }');
  });

  it('says what it cannot give', () => {
    expect(() => expand('{{ secret "pw" }}')).toThrow('the template wants secret "pw"');
    expect(() => expand('{{ config "other" }}')).toThrow('config c: the template wants config');
    expect(() => expand('{{ .Task.Secret }}')).toThrow('template {{ .Task.Secret }} is not known');
    expect(() => expand('{{ if true }}')).toThrow('is not known');
  });
});

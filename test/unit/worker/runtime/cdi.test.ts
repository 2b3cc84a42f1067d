// Devices by what they are: descriptions of the Container Device Interface in a folder of the test's own, and what a request for devices comes to on a host without any.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseHostConfig } from '#worker/engine/host-config';
import { readCdi } from '#worker/runtime/cdi';
import { requestedDevices } from '#worker/runtime/device-requests';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tswarm-cdi-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const YAML = `
cdiVersion: 0.8.0
kind: vendor.com/gpu
containerEdits:
  env: [ALL=1]
  mounts: [{hostPath: /opt/lib, containerPath: /lib/vendor, options: [ro, nosuid, bind]}]
  hooks: [{hookName: createContainer, path: /bin/hook, args: [hook, update]}]
devices:
  - name: "0"
    containerEdits:
      deviceNodes: [{path: /dev/vendor0, hostPath: /dev/null, permissions: rw}]
      additionalGids: [44]
  - {name: "1", containerEdits: {env: [ONE=1]}}
  - {name: all, containerEdits: {}}
`;

describe('descriptions of devices', () => {
  it('give nodes, variables, mounts, hooks and groups, those of the kind once', async () => {
    writeFileSync(join(folder, 'vendor.yaml'), YAML);
    const cdi = await readCdi([folder, join(folder, 'missing')]);
    expect(cdi.namesOf('vendor.com/gpu')).toEqual(['0', '1']);
    expect(await cdi.edits(['vendor.com/gpu=0', 'vendor.com/gpu=1'])).toMatchObject({
      env: ['ALL=1', 'ONE=1'],
      devices: [{ path: '/dev/vendor0', type: 'c', major: 1, minor: 3, access: 'rw' }],
      mounts: [
        { destination: '/lib/vendor', source: '/opt/lib', options: ['ro', 'nosuid', 'bind'] },
      ],
      hooks: { createContainer: [{ path: '/bin/hook', args: ['hook', 'update'] }] },
      gids: [44],
    });
  });

  it('are named when nothing describes them', async () => {
    writeFileSync(join(folder, 'vendor.yaml'), YAML);
    const cdi = await readCdi([folder]);
    await expect(cdi.edits(['vendor.com/gpu=0', 'vendor.com/gpu=9', 'x.com/y=z'])).rejects.toThrow(
      'CDI device injection failed: unresolvable CDI devices vendor.com/gpu=9, x.com/y=z',
    );
  });

  it.each([
    ['a.json', '{"kind": "x"', 'a.json'],
    ['b.yaml', 'kind: novendor\ndevices: []', 'no kind'],
    ['c.yaml', 'kind: a.b/c', 'no devices'],
  ])('that cannot be read are named: %s', async (name, text, message) => {
    writeFileSync(join(folder, name), text);
    await expect(readCdi([folder])).rejects.toThrow(message);
  });
});

describe('requests for devices', () => {
  const request = (body: object) => requestedDevices(parseHostConfig({ DeviceRequests: [body] }));

  it('that no driver can fulfil are refused in dockerd’s words', async () => {
    await expect(request({ Count: -1, Capabilities: [['tpu', 'x']] })).rejects.toThrow(
      'could not select device driver "" with capabilities: [[tpu x]]',
    );
    await expect(request({ Driver: 'amd', Count: 1, Capabilities: [['gpu']] })).rejects.toThrow(
      'could not select device driver "amd" with capabilities: [[gpu]]',
    );
  });

  it('are nothing when there are none', async () => {
    expect(await requestedDevices(parseHostConfig({}))).toMatchObject({ devices: [], env: [] });
  });
});

// Goal: details of log lines are what the log options name, by Docker's rules.
import { describe, expect, it } from 'vitest';
import { logAttributes } from '#worker/logs/log-attributes';
import { logSettings } from '#worker/runtime/log-config';

const CONTAINER = {
  labels: { tier: 'back', 'com.example.a': '1', other: 'x' },
  env: ['COLOR=dark=blue', 'EMPTY=', 'SECRET=s'],
  id: '0123456789abcdef'.repeat(4),
  name: 'shop-web-1',
  imageId: `sha256:${'fedcba9876543210'.repeat(4)}`,
  imageName: 'nginx:1',
  hostname: 'node-1',
  command: 'nginx',
};

describe('attributes of a container’s log', () => {
  it.each([
    [{}, {}],
    [{ 'max-size': '1m' }, {}],
    [{ labels: 'tier,nosuch' }, { tier: 'back' }],
    [{ 'labels-regex': '^com\\.' }, { 'com.example.a': '1' }],
    [{ env: 'COLOR,EMPTY' }, { COLOR: 'dark=blue', EMPTY: '' }],
    [
      { 'env-regex': '^C', labels: 'tier' },
      { COLOR: 'dark=blue', tier: 'back' },
    ],
    [{ tag: 'blue' }, { tag: 'blue' }],
    [
      { tag: '{{.Name}}/{{ .ImageName }} {{.ID}} {{.ImageID}}' },
      { tag: 'shop-web-1/nginx:1 0123456789ab fedcba987654' },
    ],
  ])('%j', (options, expected) => {
    expect(logAttributes(options as Record<string, string>, CONTAINER)).toEqual(expected);
  });

  it('are refused when they cannot be found out', () => {
    const settings = (Config: Record<string, string>) => () =>
      logSettings({ Type: 'json-file', Config });
    expect(settings({ 'env-regex': '(' })).toThrow('log opt env-regex: "(" is no expression');
    expect(settings({ tag: '{{.Name}} {{.Host}}' })).toThrow('template {{.Host}} is not known');
  });
});

// The constraint language: Swarm's, and what was added to it. Each row is an expression and whether a certain node meets it.
import { describe, expect, it } from 'vitest';
import { matchesConstraint, parseConstraint } from '#manager/scheduler/constraint';
import { EngineDescription, Node, NodeDescription, NodeStatus } from '#protocol/generated/objects';
import { NodeRole, NodeSpec, Platform } from '#protocol/generated/specs';

const node = Node.create({
  id: 'n1abc',
  spec: NodeSpec.create({
    role: NodeRole.MANAGER,
    labels: { zone: 'eu-west-1', disks: '4', Mixed: 'Yes', empty: '' },
  }),
  status: NodeStatus.create({ addr: '10.1.2.3' }),
  description: NodeDescription.create({
    hostname: 'Host-A',
    platform: Platform.create({ architecture: 'x86_64', os: 'linux' }),
    engine: EngineDescription.create({ labels: { storage: 'ssd' } }),
  }),
});

const node6 = Node.create({ ...node, status: NodeStatus.create({ addr: 'fd00:1::5' }) });

describe('constraints', () => {
  it.each([
    ['node.id == n1abc', true],
    ['node.id==N1ABC', true],
    ['node.hostname != other', true],
    ['node.hostname == host-a', true],
    ['node.role == manager', true],
    ['NODE.ROLE == worker', false],
    ['node.platform.os == linux', true],
    ['node.platform.arch == x86_64', true],
    ['node.platform.arch == amd64', true],
    ['node.platform.arch != amd64', false],
    ['node.platform.arch == arm64', false],
    ['node.ip == 10.1.2.3', true],
    ['node.ip == 10.1.0.0/16', true],
    ['node.ip != 10.1.0.0/16', false],
    ['node.ip == 10.2.0.0/16', false],
    ['node.ip == 0.0.0.0/0', true],
    ['node.labels.zone == eu-west-1', true],
    ['node.labels.zone == eu-*', true],
    ['node.labels.zone == *-west-*', true],
    ['node.labels.zone == eu-*-2', false],
    ['node.labels.zone != us-*', true],
    ['node.labels.zone in (us-east-1, eu-west-1)', true],
    ['node.labels.zone notin (us-*, ap-*)', true],
    ['node.labels.zone notin (eu-*)', false],
    ['node.labels.zone exists', true],
    ['node.labels.missing exists', false],
    ['node.labels.empty exists', true],
    ['node.labels.missing == x', false],
    ['node.labels.missing != x', true],
    ['node.labels.missing notin (x)', true],
    ['node.labels.disks > 3', true],
    ['node.labels.disks > 4', false],
    ['node.labels.disks < 10', true],
    ['node.labels.zone > 3', false],
    ['node.labels.missing < 3', false],
    ['node.labels.Mixed == yes', true],
    ['node.labels.mixed == yes', false],
    ['engine.labels.storage == SSD', true],
  ])('%s: %s', (text, expected) => {
    expect(matchesConstraint(parseConstraint(text), node)).toBe(expected);
  });

  it.each([
    ['node.ip == fd00:1::5', true],
    ['node.ip == fd00:1::/32', true],
    ['node.ip == fd00:1:0:0::/64', true],
    ['node.ip == fd00:2::/32', false],
    ['node.ip == 10.0.0.0/8', false],
  ])('IPv6 %s: %s', (text, expected) => {
    expect(matchesConstraint(parseConstraint(text), node6)).toBe(expected);
  });

  it.each([
    ['node.labels.zone', 'expected "key == value"'],
    ['zone == x', 'unknown key "zone"'],
    ['node.hostname ==', 'is not a value'],
    ['node.labels.a == b;c', 'is not a value'],
    ['node.labels.disks > many', 'is not a number'],
    ['node.ip == 10.0.0.0/33', 'neither an IP address nor a CIDR'],
    ['node.ip == host-a', 'neither an IP address nor a CIDR'],
    ['node.labels.zone in ()', 'is not a value'],
  ])('refuses %s and says why', (text, words) => {
    expect(() => parseConstraint(text)).toThrow(words);
  });
});

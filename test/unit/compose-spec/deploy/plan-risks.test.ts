// Goal: a plan names what its author may not have thought of, and does not cry wolf. Method: small plans with one thing at risk, and the same without it.
import { describe, expect, it } from 'vitest';
import { type PlanChange, type PlanTask, planRisks } from '#compose-spec/deploy/plan-risks';

const container = (over: object): object => ({ TaskTemplate: { ContainerSpec: over } });

function web(over: Partial<PlanChange> = {}): PlanChange {
  return {
    kind: 'service',
    name: 'shop_web',
    action: 'updated',
    recreated: false,
    before: container({ Image: 'a' }) as PlanChange['before'],
    after: container({ Image: 'b' }) as PlanChange['after'],
    ...over,
  };
}

function task(slot: number, over: Partial<PlanTask> = {}): PlanTask {
  const base = { service: 'shop_web', action: 'replace', node: `n${slot}`, from: '', reason: '' };
  return { ...base, slot, ...over } as PlanTask;
}

function codes(changes: readonly PlanChange[], tasks: readonly PlanTask[], nodes = 3): string[] {
  return planRisks({ changes, tasks, nodes }).map(({ code }) => code);
}

describe('at risk is', () => {
  it('a service that is away while its only container is replaced', () => {
    expect(codes([web()], [task(1)])).toEqual(['interruption']);
    const after = { ...web().after, UpdateConfig: { Order: 'start-first', Parallelism: 1 } };
    expect(codes([web({ after })], [task(1)])).toEqual([]);
  });

  it('no service that another waits for until it has done its work', () => {
    const dependsOn = (Condition: string): PlanChange['after'] => ({
      TaskTemplate: { DependsOn: [{ Service: 'shop_web', Condition, Required: true }] },
    });
    const app = web({ name: 'shop_app', action: 'none', after: dependsOn('completed') });
    expect(codes([web(), app], [task(1)])).toEqual([]);
    expect(codes([web(), { ...app, after: dependsOn('started') }], [task(1)])).toEqual([
      'interruption',
    ]);
  });

  it('a service whose containers are all replaced at once', () => {
    const atOnce = { ...web().after, UpdateConfig: { Order: 'stop-first', Parallelism: 0 } };
    expect(codes([web({ after: atOnce })], [task(1), task(2)])).toEqual(['interruption']);
    const inTurn = { ...web().after, UpdateConfig: { Order: 'stop-first', Parallelism: 1 } };
    expect(codes([web({ after: inTurn })], [task(1), task(2)])).toEqual([]);
  });

  it('a container without a node, and one that waits for it', () => {
    const pending = task(1, { action: 'pending', node: '', reason: 'no suitable node' });
    const waits = task(1, { service: 'shop_app', action: 'start', reason: 'waiting for web' });
    const app = web({ name: 'shop_app', action: 'created', before: null });
    const created = web({ action: 'created', before: null });
    const risks = planRisks({ changes: [created, app], tasks: [pending, waits], nodes: 1 });
    expect(risks.map(({ code, about }) => `${code} ${about}`)).toEqual([
      'no-place shop_web',
      'waits-for-ever shop_app',
    ]);
    expect(risks[0]?.message).toContain('no suitable node');
  });

  it('data in a volume without a name, and in one that is named no longer', () => {
    const volume = (source: string | undefined): object => ({
      Type: 'volume',
      Target: '/data',
      ...(source === undefined ? {} : { Source: source }),
    });
    const change = (a: string | undefined, b: string | undefined): PlanChange =>
      web({
        before: container({ Mounts: [volume(a)] }) as PlanChange['before'],
        after: container({ Mounts: [volume(b)] }) as PlanChange['after'],
      });
    const two = [task(1), task(2)];
    expect(codes([change(undefined, undefined)], two)).toEqual(['data-left-behind']);
    expect(codes([change('a', 'b')], two)).toEqual(['data-left-behind']);
    expect(codes([change('a', 'a')], two)).toEqual([]);
  });

  it('all containers on one of several nodes', () => {
    const same = [task(1, { node: 'n1' }), task(2, { node: 'n1' })];
    expect(codes([web()], same)).toEqual(['one-node']);
    expect(codes([web()], same, 1)).toEqual([]);
    expect(
      codes(
        [web({ action: 'none' })],
        same.map((one) => ({ ...one, action: 'keep' })),
      ),
    ).toEqual([]);
  });

  it('a service whose mode changes, one that goes, and a network that is made anew', () => {
    expect(codes([web({ recreated: true })], [task(1)])).toEqual(['mode-change']);
    expect(codes([web({ action: 'removed', after: null })], [])).toEqual(['removed']);
    const network = web({ kind: 'network', name: 'shop_net', recreated: true });
    expect(codes([network], [])).toEqual(['network-anew']);
  });

  it('nothing where nothing is touched', () => {
    expect(codes([web({ action: 'none' })], [task(1, { action: 'keep' })])).toEqual([]);
    expect(codes([web()], [task(1, { action: 'keep' })])).toEqual([]);
  });
});

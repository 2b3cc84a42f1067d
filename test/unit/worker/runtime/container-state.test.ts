// Goal: what has happened to a container is known although it cannot be written at the moment, and is written later; what somebody asked for and cannot be written has not
// happened. Method: files that fail as on a full disk.
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { STATE_RETRY_MS } from '#worker/limits';
import { Container, ContainerTable } from '#worker/runtime/container';
import { ContainerFiles } from '#worker/runtime/container-files';
import { type ContainerRecord, type ContainerState, INITIAL_STATE } from '#worker/runtime/record';

class FullDisk extends ContainerFiles {
  isFull = true;
  told = 0;
  readonly states: ContainerState[] = [];

  override async writeState(_id: string, state: ContainerState): Promise<void> {
    if (this.isFull) throw new Error('ENOSPC');
    this.states.push(state);
  }

  override async writeRecord(): Promise<void> {
    if (this.isFull) throw new Error('ENOSPC');
  }

  override tell(): void {
    this.told += 1;
  }
}

const record = { id: 'ab'.repeat(32), name: 'one' } as ContainerRecord;
let disk: FullDisk;
let container: Container;

beforeEach(() => {
  vi.useFakeTimers();
  disk = new FullDisk({ dataRoot: '/d', runRoot: '/r', secretsRoot: '/s' });
  container = new Container(record, INITIAL_STATE, disk);
});
afterEach(() => vi.useRealTimers());

it('keeps a state that cannot be written, and writes it when there is room', async () => {
  await container.setState({ status: 'exited', exitCode: 5 });
  expect(container.state).toMatchObject({ status: 'exited', exitCode: 5 });
  expect([disk.states, disk.told]).toEqual([[], 1]);
  await vi.advanceTimersByTimeAsync(STATE_RETRY_MS);
  expect(disk.told).toBe(1);
  disk.isFull = false;
  await vi.advanceTimersByTimeAsync(STATE_RETRY_MS);
  expect(disk.states).toMatchObject([{ status: 'exited', exitCode: 5 }]);
  await vi.advanceTimersByTimeAsync(10 * STATE_RETRY_MS);
  expect(disk.states).toHaveLength(1);
});

it('has its record of before when a new one cannot be written', async () => {
  const table = new ContainerTable();
  table.add(container);
  table.rename(container, 'one', 'two');
  await expect(container.setRecord({ ...record, name: 'two' })).rejects.toThrow('ENOSPC');
  table.rename(container, 'two', 'one');
  expect(container.record.name).toBe('one');
  expect([table.byName('one'), table.byName('two')]).toEqual([container, undefined]);
});

// Goal: a change of the data key that fails on a full disk comes to its end by itself once there is room, without a restart.
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { RaftHost } from '#manager/host/raft/host';
import { KeyService } from '#manager/host/raft/key-service';
import { KeyVault, type SealedThings } from '#manager/host/raft/key-vault';
import { KEY_CHANGE_RETRY_MS } from '#manager/host/raft/limits';
import { NODE_WAL_CRYPTO } from '#manager/host/raft/node-crypto';
import { TswarmError } from '#protocol/errors';

/** A member whose log and snapshots are sealed with the newest key as soon as they can be. */
class Member {
  #file: string | null = null;
  /** Which of the next writes of the key file fail. */
  failures: boolean[] = [];
  readonly notes: string[] = [];
  readonly vault = new KeyVault(
    {
      path: 'raft-key.json',
      read: () => this.#file,
      replace: (content) => {
        if (this.failures.shift()) throw new TswarmError('no_space', 'ENOSPC');
        this.#file = Buffer.from(content).toString();
      },
    },
    NODE_WAL_CRYPTO,
    null,
  );
  readonly service: KeyService;

  constructor() {
    const wal = { keyIds: [], isCurrentKey: () => true };
    const storage = { snapshot: () => null };
    const things = { wal, storage, snapshots: {} } as unknown as SealedThings;
    const noteLine = (_level: string, message: string): void => {
      this.notes.push(message);
    };
    this.service = new KeyService(this.vault, { noteLine } as unknown as RaftHost, things);
  }

  get keys(): number {
    const { keys } = JSON.parse(this.#file ?? '{}') as { keys: Record<string, string> };
    return Object.keys(keys).length;
  }
}

describe('a change of the data key', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it('that could not be ended for want of space is tried again until it is', async () => {
    const member = new Member();
    member.failures = [false, true, true];
    await expect(member.service.perform({ kind: 'rotateDataKey' })).rejects.toThrow('ENOSPC');
    expect(member.keys).toBe(2);
    await vi.advanceTimersByTimeAsync(KEY_CHANGE_RETRY_MS);
    expect(member.notes).toEqual(['data key change']);
    expect(member.keys).toBe(2);
    await vi.advanceTimersByTimeAsync(KEY_CHANGE_RETRY_MS);
    expect(member.notes).toEqual(['data key change', 'the old data key is gone']);
    expect(member.keys).toBe(1);
    await vi.advanceTimersByTimeAsync(10 * KEY_CHANGE_RETRY_MS);
    expect(member.notes).toHaveLength(2);
  });

  it('that works leaves one key, and nothing to do', async () => {
    const member = new Member();
    await member.service.perform({ kind: 'rotateDataKey' });
    expect(member.keys).toBe(1);
    expect(vi.getTimerCount()).toBe(0);
  });
});

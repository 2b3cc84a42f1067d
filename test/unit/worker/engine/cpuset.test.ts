// Goal: lists of processors are refused before the kernel sees them, in Docker's words.
import { describe, expect, it } from 'vitest';
import { cpusetRefusal } from '#worker/engine/cpuset';

describe('a list of processors', () => {
  it.each(['0', '0-1', '1,0', '3', '0-0,3-4', '00'])('%s can be had', (asked) => {
    expect(cpusetRefusal('cpus', asked, '0-1,3-4')).toBeUndefined();
  });

  it.each(['a', '0-1,', '1-0', '-1', '0-', ' 0', '0x1', '1.5', '0--1'])(
    '%s is no list',
    (asked) => {
      expect(cpusetRefusal('cpus', asked, '0-1')).toBe(
        `Invalid value ${asked} for cpuset cpus: invalid format: ${asked}`,
      );
    },
  );

  it.each(['2', '1-3', '0-4294967295', '99999999999999999999'])('%s is not there', (asked) => {
    expect(cpusetRefusal('cpus', asked, '0-1,3-4')).toBe(
      `Requested CPUs are not available - requested ${asked}, available: 0-1,3-4`,
    );
  });

  it('memory nodes have their own name', () => {
    expect(cpusetRefusal('mems', '5', '0')).toBe(
      'Requested memory nodes are not available - requested 5, available: 0',
    );
  });
});

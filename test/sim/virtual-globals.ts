// Timers and clocks of the language, played by the simulated world while a run lasts: what a module
// under test calls is an event of the actor whose code is running, on that actor's clock, and dies
// with it. A loop that calls them without end breaks a rule. A run is one uninterrupted call, so nobody
// outside of it ever meets these.
import type { SimEvent, World } from './world.ts';

type Callback = (...args: unknown[]) => void;

/** A running timer; the methods are those that programs call on Node's. */
class SimTimer {
  event: SimEvent | null = null;
  isCleared = false;

  unref(): this {
    return this;
  }

  ref(): this {
    return this;
  }
}

/** setImmediate and timers of no length come this much later: after what is due now. */
const SOON_US = 1;

/** Runs `body` with the world's timers and clocks, then puts the real ones back. */
export function withVirtualGlobals<T>(world: World, body: () => T): T {
  const real = {
    setTimeout: globalThis.setTimeout,
    clearTimeout: globalThis.clearTimeout,
    setInterval: globalThis.setInterval,
    clearInterval: globalThis.clearInterval,
    setImmediate: globalThis.setImmediate,
    clearImmediate: globalThis.clearImmediate,
    dateNow: Date.now,
    performanceNow: performance.now,
    mathRandom: Math.random,
    abortAfter: AbortSignal.timeout,
  };
  Object.assign(globalThis, timersOf(world));
  Date.now = () => {
    world.spendOrThrow('Date.now');
    return Math.floor(world.wallMs(world.current));
  };
  performance.now = () => {
    world.spendOrThrow('performance.now');
    return world.monotonicMs(world.current);
  };
  AbortSignal.timeout = (delayMs) => {
    const over = new AbortController();
    setTimeout(() => over.abort(), delayMs);
    return over.signal;
  };
  Math.random = () => {
    throw new Error('Math.random in code under simulation: take randomness as an argument');
  };
  try {
    return body();
  } finally {
    const { dateNow, performanceNow, mathRandom, abortAfter, ...timers } = real;
    AbortSignal.timeout = abortAfter;
    Object.assign(globalThis, timers);
    Date.now = dateNow;
    performance.now = performanceNow;
    Math.random = mathRandom;
  }
}

function timersOf(world: World): Record<string, unknown> {
  const after = (callback: Callback, delayMs: number, args: readonly unknown[]): SimTimer => {
    const timer = new SimTimer();
    arm(timer, delayMs, () => callback(...args));
    return timer;
  };
  const arm = (timer: SimTimer, delayMs: number, action: () => void): void => {
    world.spendOrThrow('timers');
    const actor = world.current;
    const us = (Math.max(0, Number(delayMs) || 0) * 1000) / (actor?.rate ?? 1);
    timer.event = world.at(Math.max(SOON_US, us), actor, action);
  };
  const every = (callback: Callback, delayMs: number, args: readonly unknown[]): SimTimer => {
    const timer = new SimTimer();
    const fire = (): void => {
      // Armed anew from now: a pause makes one firing, not one for each period missed.
      if (!timer.isCleared) arm(timer, Math.max(1, delayMs), fire);
      callback(...args);
    };
    arm(timer, Math.max(1, delayMs), fire);
    return timer;
  };
  const clear = (timer: unknown): void => {
    if (!(timer instanceof SimTimer)) return;
    timer.isCleared = true;
    if (timer.event !== null) timer.event.isCancelled = true;
  };
  return {
    setTimeout: (callback: Callback, ms = 0, ...args: unknown[]) => after(callback, ms, args),
    clearTimeout: clear,
    setInterval: (callback: Callback, ms = 1, ...args: unknown[]) => every(callback, ms, args),
    clearInterval: clear,
    setImmediate: (callback: Callback, ...args: unknown[]) => after(callback, 0, args),
    clearImmediate: clear,
  };
}

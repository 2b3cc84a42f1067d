// What components share: the cluster as it is, the page that the address names, the time, and the answer of a call.
import { type Context, createContext } from 'preact';
import { useContext, useEffect, useState } from 'preact/hooks';
import type { Interest, Live } from './live.ts';
import type { Who } from './session.ts';
import type { ClusterState } from './state.ts';

export interface App {
  readonly live: Live;
  readonly who: Who;
}

export const AppContext: Context<App | undefined> = createContext<App | undefined>(undefined);

export function useApp(): App {
  const app = useContext(AppContext);
  if (!app) throw new Error('bug: a component outside of the app');
  return app;
}

/** The cluster; the component is drawn again when something of interest changes, with every change unless told otherwise. */
export function useCluster(...interests: readonly Interest[]): ClusterState {
  const { live } = useApp();
  const [, redraw] = useState(0);
  const key = interests.join(' ');
  useEffect(
    () => live.subscribe(interests.length === 0 ? ['any'] : interests, () => redraw((n) => n + 1)),
    [live, key],
  );
  return live.state;
}

/** Whether whoever is signed in may do what takes the role. The server decides; this only leaves out what it would refuse. */
export function useMay(role: 'operator' | 'admin'): boolean {
  const has = useApp().who.role;
  return has === 'admin' || has === role;
}

/** Parts of the address behind `#/`: ["services", "abc"]. */
export function useRoute(): readonly string[] {
  const [hash, setHash] = useState(location.hash);
  useEffect(() => {
    const onChange = (): void => setHash(location.hash);
    addEventListener('hashchange', onChange);
    return () => removeEventListener('hashchange', onChange);
  }, []);
  const parts = hash.replace(/^#\/?/, '').split('/');
  return parts.filter((part) => part !== '').map(decodeURIComponent);
}

/** Time for ages, fresh every `everyMs`. */
export function useNow(everyMs = 5_000): number {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), everyMs);
    return () => clearInterval(timer);
  }, [everyMs]);
  return now;
}

export interface Answer<T> {
  readonly value: T | undefined;
  readonly error: Error | undefined;
}

/** The answer of `call`, asked again whenever one of `keys` changes; meanwhile the one before is shown. */
export function useAnswer<T>(
  call: (signal: AbortSignal) => Promise<T>,
  keys: readonly unknown[],
): Answer<T> {
  const [answer, setAnswer] = useState<Answer<T>>({ value: undefined, error: undefined });
  useEffect(() => {
    const controller = new AbortController();
    call(controller.signal).then(
      (value) => setAnswer({ value, error: undefined }),
      (error: Error) => {
        if (!controller.signal.aborted) setAnswer((old) => ({ value: old.value, error }));
      },
    );
    return () => controller.abort();
  }, keys);
  return answer;
}

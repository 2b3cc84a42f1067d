// Finding things by keyboard: "/" or Ctrl-K opens it, arrows choose, Enter goes there.
import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { type Hit, search } from './find.ts';
import { useCluster } from './hooks.ts';

export function Search(): JSX.Element {
  const state = useCluster();
  const [text, setText] = useState('');
  const [at, setAt] = useState(0);
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      const isTyping =
        event.target instanceof HTMLElement && event.target.matches('input, textarea');
      const isSlash = event.key === '/' && !isTyping;
      if (!isSlash && !(event.key === 'k' && (event.ctrlKey || event.metaKey))) return;
      event.preventDefault();
      input.current?.focus();
    };
    addEventListener('keydown', onKey);
    return () => removeEventListener('keydown', onKey);
  }, []);
  const hits = search(state, text);
  const go = (hit: Hit | undefined): void => {
    if (!hit) return;
    location.hash = hit.link;
    setText('');
    input.current?.blur();
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.key === 'Escape') setText('');
    else if (event.key === 'Enter') go(hits[at]);
    else if (event.key === 'ArrowDown') setAt(Math.min(at + 1, hits.length - 1));
    else if (event.key === 'ArrowUp') setAt(Math.max(at - 1, 0));
    else return;
    event.preventDefault();
  };
  // The types know this role only for inputs with a data list, which cannot say of what kind a hit is.
  const combobox: object = {
    role: 'combobox',
    'aria-expanded': hits.length > 0,
    'aria-controls': 'hits',
    'aria-activedescendant': hits.length > 0 ? `hit-${at}` : undefined,
  };
  return (
    <div class="search">
      <input
        ref={input}
        type="search"
        placeholder="Search ( / )"
        aria-label="Search nodes, stacks, services and tasks"
        {...combobox}
        value={text}
        onInput={(event) => {
          setText(event.currentTarget.value);
          setAt(0);
        }}
        onKeyDown={onKeyDown}
      />
      <div id="hits" role="listbox" aria-label="Found" hidden={hits.length === 0}>
        {hits.map((hit, index) => (
          <div
            key={hit.link}
            id={`hit-${index}`}
            role="option"
            tabIndex={-1}
            aria-selected={index === at}
            onMouseDown={() => go(hit)}
          >
            <span>{hit.name}</span> <small>{hit.kind}</small>
          </div>
        ))}
      </div>
    </div>
  );
}

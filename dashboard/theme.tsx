// Light or dark: what the system wants, until somebody chooses.
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';

const KEY = 'tswarm-theme';
type Theme = 'system' | 'light' | 'dark';
const NEXT: Readonly<Record<Theme, Theme>> = { system: 'light', light: 'dark', dark: 'system' };

function stored(): Theme {
  const text = localStorage.getItem(KEY);
  return text === 'light' || text === 'dark' ? text : 'system';
}

function show(theme: Theme): void {
  if (theme === 'system') delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
}

show(stored());

export function ThemeButton(): JSX.Element {
  const [theme, setTheme] = useState<Theme>(stored);
  const onClick = (): void => {
    const next = NEXT[theme];
    localStorage.setItem(KEY, next);
    show(next);
    setTheme(next);
  };
  return (
    <button type="button" onClick={onClick} title="Colours: system, light, dark">
      Colours: {theme}
    </button>
  );
}

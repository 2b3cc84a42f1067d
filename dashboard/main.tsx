// The dashboard: signs in, opens the stream of changes, draws the page that the address names.
import { type JSX, render } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { AppContext, useCluster, useNow, useRoute } from './hooks.ts';
import { Live } from './live.ts';
import { Activity } from './pages/activity.tsx';
import { Logs } from './pages/logs.tsx';
import { NodePage, Nodes } from './pages/nodes.tsx';
import { Overview } from './pages/overview.tsx';
import { Networks, Secrets, Volumes } from './pages/resources.tsx';
import { ServicePage } from './pages/service.tsx';
import { Services } from './pages/services.tsx';
import { StackPage, Stacks } from './pages/stacks.tsx';
import { TaskPage } from './pages/task.tsx';
import { Topology } from './pages/topology.tsx';
import { Search } from './search.tsx';
import { signIn, signOut, type Who } from './session.ts';
import { ThemeButton } from './theme.tsx';

const MENU: readonly (readonly [path: string, title: string])[] = [
  ['', 'Overview'],
  ['topology', 'Topology'],
  ['nodes', 'Nodes'],
  ['stacks', 'Stacks'],
  ['services', 'Services'],
  ['logs', 'Logs'],
  ['networks', 'Networks'],
  ['volumes', 'Volumes'],
  ['secrets', 'Secrets and configs'],
  ['activity', 'Activity'],
];

function Page({ route }: { readonly route: readonly string[] }): JSX.Element {
  const [name = '', id = ''] = route;
  if (name === '') return <Overview />;
  if (name === 'topology') return <Topology />;
  if (name === 'nodes') return id === '' ? <Nodes /> : <NodePage id={id} />;
  if (name === 'stacks') return id === '' ? <Stacks /> : <StackPage name={id} />;
  if (name === 'services') return id === '' ? <Services /> : <ServicePage id={id} />;
  if (name === 'tasks') return <TaskPage id={id} />;
  if (name === 'logs') return <Logs kind={id} name={route[2] ?? ''} />;
  if (name === 'networks') return <Networks />;
  if (name === 'volumes') return <Volumes />;
  if (name === 'secrets') return <Secrets />;
  if (name === 'activity') return <Activity />;
  return <p class="empty">There is no such page.</p>;
}

function Menu({ current }: { readonly current: string }): JSX.Element {
  // A task's page belongs to its service.
  const shown = current === 'tasks' ? 'services' : current;
  return (
    <nav aria-label="Pages">
      {MENU.map(([path, title]) => (
        <a key={path} href={`#/${path}`} aria-current={path === shown ? 'page' : undefined}>
          {title}
        </a>
      ))}
    </nav>
  );
}

function ConnectionMark({ live }: { readonly live: Live }): JSX.Element {
  useCluster();
  useNow();
  if (live.connection === 'live') return <span class="mark good">live</span>;
  if (live.connection === 'connecting') return <span class="mark busy">connecting</span>;
  const seconds = Math.round((Date.now() - live.heardMs) / 1000);
  const text = live.heardMs === 0 ? 'no connection' : `no connection, shown as of ${seconds} s ago`;
  return (
    <span class="mark bad" role="status">
      {text}
    </span>
  );
}

function Shell({ live, who }: { readonly live: Live; readonly who: Who }): JSX.Element {
  const route = useRoute();
  const title = MENU.find(([path]) => path === (route[0] ?? ''))?.[1] ?? 'tswarm';
  useEffect(() => {
    document.title = `${title} · tswarm`;
    document.getElementById('main')?.focus();
  }, [route.join('/')]);
  return (
    <AppContext.Provider value={{ live, who }}>
      <button type="button" class="skip" onClick={skipToMain}>
        Skip to the page
      </button>
      <div class="shell">
        <aside>
          <a class="brand" href="#/">
            <img src="/icon.svg" alt="" width="24" height="24" /> tswarm
          </a>
          <Menu current={route[0] ?? ''} />
        </aside>
        <div class="content">
          <header class="topbar">
            <Search />
            <ConnectionMark live={live} />
            <span class="role">{who.role}</span>
            <ThemeButton />
            <button type="button" onClick={() => void signOut()}>
              Sign out
            </button>
          </header>
          <main id="main" tabIndex={-1}>
            <Page route={route} />
          </main>
        </div>
      </div>
    </AppContext.Provider>
  );
}

function skipToMain(): void {
  document.getElementById('main')?.focus();
}

function SignedOut({ reason }: { readonly reason: string }): JSX.Element {
  return (
    <main class="signed-out">
      <img src="/icon.svg" alt="" width="48" height="48" />
      <h1>tswarm</h1>
      <p>{reason}</p>
      <p>
        On the host, run <code>tswarm dashboard</code> and open the link that it prints.
      </p>
    </main>
  );
}

function Start(): JSX.Element {
  const [who, setWho] = useState<Who | undefined>();
  const [reason, setReason] = useState('');
  const [live] = useState(() => new Live(() => setReason('The session has ended.')));
  useEffect(() => {
    signIn().then(
      (signedIn) => {
        setWho(signedIn);
        live.start();
      },
      (error: Error) => setReason(`${error.message}.`),
    );
  }, [live]);
  if (reason !== '') return <SignedOut reason={reason} />;
  return who ? <Shell live={live} who={who} /> : <main class="signed-out" aria-busy="true" />;
}

const app = document.getElementById('app');
if (app) render(<Start />, app);

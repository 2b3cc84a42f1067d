// The dashboard: signs in, opens the stream of changes, draws the page that the address names.
import { type ComponentType, type JSX, render } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { AppContext, useAnswer, useApp, useCluster, useMay, useNow, useRoute } from './hooks.ts';
import { Live } from './live.ts';
import { Access } from './pages/access.tsx';
import { Activity } from './pages/activity.tsx';
import { Images } from './pages/images.tsx';
import { Logs } from './pages/logs.tsx';
import { NodePage, Nodes } from './pages/nodes.tsx';
import { Overview } from './pages/overview.tsx';
import { Networks, Secrets, Volumes } from './pages/resources.tsx';
import { RollBackPage } from './pages/rollback.tsx';
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
  ['images', 'Images'],
  ['activity', 'Activity'],
  ['access', 'Access'],
];
/** Of pages that have no line of their own in the menu. */
const MENU_OF: Readonly<Record<string, string>> = { tasks: 'services', 'new-stack': 'stacks' };

function Page({ route }: { readonly route: readonly string[] }): JSX.Element {
  const [name = '', id = '', part = '', version = ''] = route;
  if (name === '') return <Overview />;
  if (name === 'topology') return <Topology />;
  if (name === 'nodes') return id === '' ? <Nodes /> : <NodePage id={id} />;
  if (name === 'new-stack') return <LatePage load={newStackPage} />;
  if (name === 'stacks' && part === 'edit') return <LatePage key={id} load={editPage} id={id} />;
  if (name === 'stacks' && part === 'rollback')
    return <RollBackPage key={version} name={id} until={version} />;
  if (name === 'stacks') return id === '' ? <Stacks /> : <StackPage name={id} />;
  if (name === 'services') return id === '' ? <Services /> : <ServicePage key={id} id={id} />;
  if (name === 'tasks' && part === 'shell') return <LatePage key={id} load={shellPage} id={id} />;
  if (name === 'tasks') return <TaskPage key={id} id={id} />;
  if (name === 'logs') return <Logs kind={id} name={part} />;
  if (name === 'networks') return <Networks />;
  if (name === 'volumes') return <Volumes />;
  if (name === 'secrets') return <Secrets />;
  if (name === 'images') return <Images />;
  if (name === 'activity') return <Activity />;
  if (name === 'access') return <Access />;
  return (
    <>
      <h1>No such page</h1>
      <p class="empty">
        There is nothing at this address. <a href="#/">Go to the overview</a>
      </p>
    </>
  );
}

type IdPage = ComponentType<{ readonly id: string }>;

// Pages that few need, loaded when they are opened.
const shellPage = async (): Promise<IdPage> => (await import('./pages/shell.tsx')).ShellPage;
const newStackPage = async (): Promise<IdPage> => (await import('./pages/editor.tsx')).NewStack;
const editPage = async (): Promise<IdPage> => {
  const { EditStack } = await import('./pages/editor.tsx');
  return ({ id }) => <EditStack name={id} />;
};

function LatePage({
  load,
  id = '',
}: {
  readonly load: () => Promise<IdPage>;
  readonly id?: string;
}): JSX.Element {
  const { value: Loaded, error } = useAnswer(() => load(), [load]);
  if (Loaded) return <Loaded id={id} />;
  return (
    <p class="empty">{error ? `The page could not be loaded: ${error.message}` : 'Loading…'}</p>
  );
}

function Menu({ current }: { readonly current: string }): JSX.Element {
  const isAdmin = useMay('admin');
  const shown = MENU_OF[current] ?? current;
  const menu = useRef<HTMLElement>(null);
  // On a phone the menu is one line that is longer than the screen.
  useEffect(() => {
    const line = menu.current?.querySelector('[aria-current]');
    line?.scrollIntoView({ block: 'nearest', inline: 'center' });
  }, [shown]);
  return (
    <nav aria-label="Pages" ref={menu}>
      {MENU.filter(([path]) => path !== 'access' || isAdmin).map(([path, title]) => (
        <a key={path} href={`#/${path}`} aria-current={path === shown ? 'page' : undefined}>
          {title}
        </a>
      ))}
    </nav>
  );
}

function ConnectionMark(): JSX.Element {
  const { live } = useApp();
  useCluster('connection');
  if (live.connection === 'live') return <span class="mark good">live</span>;
  if (live.connection === 'connecting') return <span class="mark busy">connecting</span>;
  return <span class="mark bad">not connected</span>;
}

/** Over the page while there is no connection: what is shown is what was last known. */
function LostBanner(): JSX.Element | null {
  const { live } = useApp();
  useCluster('connection');
  const now = useNow(1_000);
  if (live.connection !== 'lost') return null;
  const seconds = Math.max(0, Math.round((now - live.heardMs) / 1000));
  const since =
    live.heardMs === 0 ? '' : ` What is shown is as of ${seconds} s ago; containers go on.`;
  return (
    <p class="banner bad" role="alert">
      No connection to the node.{since} This page goes on by itself once it is back.
    </p>
  );
}

function Shell({ live, who }: { readonly live: Live; readonly who: Who }): JSX.Element {
  const route = useRoute();
  const [name = ''] = route;
  const title = MENU.find(([path]) => path === (MENU_OF[name] ?? name))?.[1] ?? 'tswarm';
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
            <ConnectionMark />
            <span class="role">{who.role}</span>
            <ThemeButton />
            <button type="button" onClick={() => void signOut()}>
              Sign out
            </button>
          </header>
          <main id="main" tabIndex={-1}>
            <LostBanner />
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

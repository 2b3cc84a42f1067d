// A shell in a task's container, on whichever node it is: xterm.js for the screen, GET /tswarm/v1/exec for the bytes. Loaded only when it is opened. xterm writes
// its colours and sizes into <style> elements and style attributes, which the page's policy forbids: while the page is open both are set by script.
import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import type { ExecNotice } from '#api/cluster/types';
import { useCluster } from '../hooks.ts';
import { Heading, NodeLink } from '../parts.tsx';
import { socketProtocols } from '../session.ts';

const PROTOCOL = 'tswarm.exec.v1';
const STYLES = '/xterm.css';
const STDIN = 0;

export function ShellPage({ id }: { readonly id: string }): JSX.Element {
  const task = useCluster(`task:${id}`).get('task', id);
  const box = useRef<HTMLElement>(null);
  const [attempt, setAttempt] = useState(0);
  const [status, setStatus] = useState<Status>({ word: 'connecting', text: '' });
  useEffect(() => {
    const controller = new AbortController();
    setStatus({ word: 'connecting', text: '' });
    const opened = open(id, box.current as HTMLElement, setStatus, controller.signal);
    opened.catch((error: Error) => setStatus({ word: 'failed', text: error.message }));
    return () => controller.abort();
  }, [id, attempt]);
  const isOver = status.word === 'ended' || status.word === 'failed';
  return (
    <>
      <Heading
        title={`Shell in ${task?.name ?? id}`}
        sub={
          task ? (
            <>
              on <NodeLink id={task.nodeId} />
            </>
          ) : undefined
        }
      >
        <a class="button" href={`#/tasks/${id}`}>
          Back to the task
        </a>
      </Heading>
      {isOver ? (
        <div class={`banner ${status.word === 'failed' ? 'bad' : 'quiet'}`} role="status">
          {status.text}{' '}
          <button type="button" onClick={() => setAttempt((n) => n + 1)}>
            Open a new shell
          </button>
        </div>
      ) : null}
      <section class="shell-box" ref={box} aria-label={`Terminal, ${status.word}`} />
      <p class="sub">Ctrl-Shift-Escape leaves the terminal for the page.</p>
    </>
  );
}

interface Status {
  readonly word: 'connecting' | 'open' | 'ended' | 'failed';
  readonly text: string;
}

async function open(
  task: string,
  box: HTMLElement,
  say: (status: Status) => void,
  signal: AbortSignal,
): Promise<void> {
  const [{ Terminal }, { FitAddon }] = await Promise.all([
    import('@xterm/xterm'),
    import('@xterm/addon-fit'),
    stylesLoaded(),
  ]);
  if (signal.aborted) return;
  replaceStyleElements(signal);
  const terminal = new Terminal({
    cursorBlink: !matchMedia('(prefers-reduced-motion: reduce)').matches,
    fontFamily: 'ui-monospace, monospace',
    fontSize: 14,
    screenReaderMode: true,
    theme: { background: '#0b0e12', foreground: '#e4e8ee' },
  });
  const fit = new FitAddon();
  terminal.loadAddon(fit);
  terminal.open(box);
  fit.fit();
  terminal.attachCustomKeyEventHandler((event) => {
    const leaves = event.key === 'Escape' && event.ctrlKey && event.shiftKey;
    if (leaves) document.getElementById('main')?.focus();
    return !leaves;
  });
  const { cols, rows } = terminal;
  const query = new URLSearchParams({ task, width: String(cols), height: String(rows) });
  const scheme = location.protocol === 'https:' ? 'wss' : 'ws';
  const url = `${scheme}://${location.host}/api/tswarm/v1/exec?${query}`;
  const socket = new WebSocket(url, socketProtocols(PROTOCOL));
  socket.binaryType = 'arraybuffer';
  connect(terminal, socket, say);
  const observer = new ResizeObserver(() => fit.fit());
  observer.observe(box);
  signal.addEventListener('abort', () => {
    observer.disconnect();
    socket.close();
    terminal.dispose();
  });
}

type Xterm = import('@xterm/xterm').Terminal;

function connect(terminal: Xterm, socket: WebSocket, say: (status: Status) => void): void {
  const encoder = new TextEncoder();
  let last: Status | undefined;
  const send = (text: string): void => {
    if (socket.readyState !== WebSocket.OPEN) return;
    const bytes = encoder.encode(text);
    const message = new Uint8Array(bytes.length + 1);
    message[0] = STDIN;
    message.set(bytes, 1);
    socket.send(message);
  };
  terminal.onData(send);
  terminal.onBinary(send);
  terminal.onResize(({ cols, rows }) => {
    if (socket.readyState !== WebSocket.OPEN) return;
    socket.send(JSON.stringify({ type: 'resize', width: cols, height: rows }));
  });
  socket.onmessage = ({ data }: MessageEvent<string | ArrayBuffer>) => {
    if (typeof data !== 'string') {
      terminal.write(new Uint8Array(data, 1));
      return;
    }
    const notice = JSON.parse(data) as ExecNotice;
    if (notice.type === 'started') {
      say({ word: 'open', text: '' });
      terminal.focus();
    } else if (notice.type === 'exit') {
      last = { word: 'ended', text: `The shell has ended with status ${notice.code}.` };
    } else last = { word: 'failed', text: `${notice.detail}. ${notice.hint ?? ''}`.trim() };
  };
  socket.onclose = () => {
    const lost = 'The connection to the container is lost. What ran in the shell was ended.';
    say(last ?? { word: 'failed', text: lost });
  };
}

/** The terminal's own style sheet, once. */
function stylesLoaded(): Promise<void> {
  if (document.querySelector(`link[href="${STYLES}"]`)) return Promise.resolve();
  const link = document.createElement('link');
  link.rel = 'stylesheet';
  link.href = STYLES;
  return new Promise((resolve, reject) => {
    link.onload = () => resolve();
    link.onerror = () => reject(new Error('the terminal could not be loaded'));
    document.head.append(link);
  });
}

/** Until the signal, <style> elements that scripts of the page make are sheets made by script. */
function replaceStyleElements(signal: AbortSignal): void {
  const make = Document.prototype.createElement.bind(document);
  const createElement = (name: string): HTMLElement =>
    name.toLowerCase() === 'style' ? styleStandIn(signal) : withStyleByScript(make(name));
  // An own property goes before the one of the prototype, and is taken away again.
  Object.defineProperty(document, 'createElement', { value: createElement, configurable: true });
  signal.addEventListener('abort', () => Reflect.deleteProperty(document, 'createElement'));
}

/** Style attributes are forbidden as well; the same set as properties is not. */
function withStyleByScript(element: HTMLElement): HTMLElement {
  const setAttribute = element.setAttribute.bind(element);
  element.setAttribute = (name, value) => {
    if (name === 'style') element.style.cssText = value;
    else setAttribute(name, value);
  };
  return element;
}

function styleStandIn(signal: AbortSignal): HTMLElement {
  const sheet = new CSSStyleSheet();
  document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
  signal.addEventListener('abort', () => {
    document.adoptedStyleSheets = document.adoptedStyleSheets.filter((one) => one !== sheet);
  });
  const element = document.createElement('span');
  element.hidden = true;
  Object.defineProperty(element, 'textContent', { set: (text: string) => sheet.replaceSync(text) });
  Object.defineProperty(element, 'sheet', { value: sheet });
  return element;
}

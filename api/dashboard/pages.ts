// The dashboard's files: a fixed table from names to files, made once, so that no path from outside is ever joined to a folder. Everything comes from this
// host; the page may load nothing from anywhere else (Content-Security-Policy).
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Page {
  readonly body: Buffer;
  readonly contentType: string;
  /** Changes with the content. */
  readonly etag: string;
}

/** Where the files are. */
export interface PageFolders {
  /** The dashboard's compiled modules. */
  readonly scripts: string;
  /** index.html, style.css, icon.svg */
  readonly statics: string;
  /** node_modules */
  readonly modules: string;
  /** What the dashboard shares with the other programs, compiled: folders of `protocol` and `api`. */
  readonly protocol: string;
  readonly api: string;
}

const TYPES: Readonly<Record<string, string>> = {
  html: 'text/html; charset=utf-8',
  css: 'text/css; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  svg: 'image/svg+xml',
};

/** Files of packages, most of them by names of the page's import map. */
const LIBRARIES: Readonly<Record<string, string>> = {
  '/lib/preact.js': 'preact/dist/preact.mjs',
  '/lib/hooks.js': 'preact/hooks/dist/hooks.mjs',
  '/lib/jsx-runtime.js': 'preact/jsx-runtime/dist/jsxRuntime.mjs',
  '/lib/xterm.js': '@xterm/xterm/lib/xterm.mjs',
  '/lib/addon-fit.js': '@xterm/addon-fit/lib/addon-fit.mjs',
  '/xterm.css': '@xterm/xterm/css/xterm.css',
};

export class Pages {
  readonly #pages = new Map<string, Page>();
  readonly #policy: string;

  /** Reads all files. @throws when one is missing. */
  constructor(folders: PageFolders) {
    for (const name of readdirSync(folders.statics)) {
      this.#add(`/${name}`, join(folders.statics, name), name);
    }
    for (const name of readdirSync(folders.scripts, { recursive: true, encoding: 'utf8' })) {
      if (name.endsWith('.js')) this.#add(`/app/${name}`, join(folders.scripts, name), name);
    }
    for (const [path, file] of Object.entries(LIBRARIES)) {
      this.#add(path, join(folders.modules, file), path);
    }
    this.#add('/lib/fix-words.js', join(folders.protocol, 'fix-words.js'), '.js');
    const client = join(folders.api, 'cluster/client-call.js');
    this.#add('/lib/client-call.js', client, '.js');
    this.#policy = policyFor(this.#pages.get('/index.html')?.body.toString('utf8') ?? '');
  }

  /** The page of a path; '/' is the start page. */
  find(path: string): Page | undefined {
    return this.#pages.get(path === '/' ? '/index.html' : path);
  }

  /** Content-Security-Policy of every answer. */
  get policy(): string {
    return this.#policy;
  }

  #add(path: string, file: string, name: string): void {
    const body = readFileSync(file);
    const etag = `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`;
    const contentType = TYPES[name.slice(name.lastIndexOf('.') + 1)] ?? 'application/octet-stream';
    this.#pages.set(path, { body, contentType, etag });
  }
}

/** Only our own files, and of inline scripts only the import map as it is in the page. */
function policyFor(html: string): string {
  const inline = /<script type="importmap">([\s\S]*?)<\/script>/.exec(html)?.[1] ?? '';
  const hash = createHash('sha256').update(inline).digest('base64');
  return [
    "default-src 'none'",
    `script-src 'self' 'sha256-${hash}'`,
    "style-src 'self'",
    "img-src 'self' data:",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ');
}

// A small HTTP client for a node's unix socket: quicker than starting `docker` for every question, and it tells a refused request from a cut one.
import { request } from 'node:http';

/** The daemon said no. */
export class Refused extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** The connection ended before the whole answer was there: the daemon was killed, or was not up. */
export class Cut extends Error {}

export type Json = Record<string, unknown>;

export class EngineClient {
  readonly #socket: string;

  constructor(socket: string) {
    this.#socket = socket;
  }

  /** @throws Refused, Cut */
  text(
    path: string,
    method = 'GET',
    body?: string | Buffer,
    type = 'application/json',
  ): Promise<string> {
    return new Promise((resolve, reject) => {
      const headers = body === undefined ? {} : { 'Content-Type': type };
      const call = request(
        { socketPath: this.#socket, path, method, headers, agent: false, timeout: 180_000 },
        (answer) => {
          const chunks: Buffer[] = [];
          answer.on('data', (chunk: Buffer) => chunks.push(chunk));
          answer.on('error', () => reject(new Cut(`${method} ${path}: cut in its answer`)));
          answer.on('aborted', () => reject(new Cut(`${method} ${path}: cut in its answer`)));
          answer.on('end', () => {
            const text = Buffer.concat(chunks).toString('utf8');
            const status = answer.statusCode ?? 0;
            if (status < 400) resolve(text);
            else reject(new Refused(status, `${method} ${path}: ${status} ${text.trim()}`));
          });
        },
      );
      call.on('timeout', () => call.destroy(new Error('no answer in 60 s')));
      call.on('error', (error) => reject(new Cut(`${method} ${path}: ${error.message}`)));
      call.end(body);
    });
  }

  /** @throws Refused, Cut */
  async json(method: string, path: string, body?: unknown): Promise<Json> {
    const text = await this.text(
      path,
      method,
      body === undefined ? undefined : JSON.stringify(body),
    );
    return text === '' ? {} : (JSON.parse(text) as Json);
  }

  async list(path: string): Promise<Json[]> {
    return (await this.json('GET', path)) as unknown as Json[];
  }

  /** Takes the whole stream of JSON lines. @throws Refused also for an error line */
  async stream(path: string, body?: string | Buffer, type?: string): Promise<Json[]> {
    const text = await this.text(path, 'POST', body ?? '', type);
    const lines = text.split('\n').filter((line) => line.trim() !== '');
    const values = lines.map((line) => JSON.parse(line) as Json);
    const failed = values.find((value) => value.error !== undefined);
    if (failed) throw new Refused(200, `POST ${path}: ${String(failed.error)}`);
    return values;
  }
}

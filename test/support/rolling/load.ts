// Open-loop load on one address, for tests of rolling updates: requests leave at a fixed rate whatever the answers do; a part of them on new connections, the
// others on kept-alive ones. No retry. Lost: a reset or refused connection, a wrong answer, or no whole answer in time. Runs as a process of its own inside
// the network namespace: `node load.ts HOST PORT RATE SECONDS NEW_SHARE LOG [LOST_AFTER_MS]`; prints a summary as JSON; the log has a line per request.
// SIGTERM ends it.
import { createWriteStream } from 'node:fs';
import { Agent, request } from 'node:http';

const [host = '', port = '', rate = '', seconds = '', newShare = '', logPath = '', limit = '1000'] =
  process.argv.slice(2);
const lostAfterMs = Number(limit);
const TICK_MS = 5;

const kept = new Agent({ keepAlive: true, maxSockets: 64 });
const log = createWriteStream(logPath);
const lost: string[] = [];
const versions = new Map<string, number>();
let sent = 0;
let answered = 0;
let slowestMs = 0;
let stopped = false;

function send(): void {
  const number = sent++;
  const isNew = (number * 7919) % 1000 < Number(newShare) * 1000;
  const started = performance.now();
  let done = false;
  const finish = (found: string): void => {
    if (done) return;
    done = true;
    const ms = performance.now() - started;
    const outcome = ms > lostAfterMs && found.startsWith('ok ') ? 'late' : found;
    slowestMs = Math.max(slowestMs, ms);
    answered++;
    log.write(`${Date.now()} ${number} ${isNew ? 'new' : 'kept'} ${ms.toFixed(1)} ${outcome}\n`);
    const version = /^ok (\S+) \S+$/.exec(outcome)?.[1];
    if (version === undefined) lost.push(`${number} ${isNew ? 'new' : 'kept'} ${outcome}`);
    else versions.set(version, (versions.get(version) ?? 0) + 1);
  };
  const call = request(
    { host, port: Number(port), agent: isNew ? false : kept, timeout: lostAfterMs },
    (response) => {
      let text = '';
      response.on('data', (chunk) => {
        text += String(chunk);
      });
      response.on('end', () =>
        finish(response.statusCode === 200 ? `ok ${text}` : `wrong ${text}`),
      );
      response.on('error', (error) => finish(`error ${error.message}`));
    },
  );
  call.on('timeout', () => {
    finish('timeout');
    call.destroy();
  });
  call.on('error', (error) => finish(`error ${error.message}`));
  call.end();
}

process.on('SIGTERM', () => {
  stopped = true;
});

const begin = performance.now();
const timer = setInterval(() => {
  const elapsed = (performance.now() - begin) / 1000;
  const isOver = stopped || elapsed >= Number(seconds);
  if (!isOver) {
    const due = Math.floor(elapsed * Number(rate));
    while (sent < due) send();
    return;
  }
  if (answered < sent) return;
  clearInterval(timer);
  kept.destroy();
  const took = (performance.now() - begin) / 1000;
  const summary = {
    sent,
    lost: lost.length,
    rate: Math.round(sent / took),
    slowestMs: Math.round(slowestMs),
    versions: Object.fromEntries(versions),
    examples: lost.slice(0, 10),
  };
  log.end(() => process.stdout.write(`${JSON.stringify(summary)}\n`));
}, TICK_MS);

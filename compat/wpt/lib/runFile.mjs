import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const CHILD = fileURLToPath(new URL('child.mjs', import.meta.url));
const NORMAL_MS = 10_000;
const LONG_MS = 20_000;
/** What a process may take beyond its tests: to start, and to close. */
const SLACK_MS = 15_000;

/**
 * Runs a test file with a subject, each of its pages in a process of its own.
 *
 * @returns {Promise<{ path: string, results: Map<string, { status: string, message: string }>, notes: string[], calls: number }>}
 */
export async function runFile(test, subject, ports) {
  const results = new Map();
  const notes = [];
  let calls = 0;
  const timeoutMs = test.long ? LONG_MS : NORMAL_MS;
  for (const page of test.pages) {
    const outcome = await runPage({ page, subject, scripts: test.scripts, timeoutMs });
    const variant = new URL(page).search;
    for (const { name, status, message } of outcome.results) {
      results.set(stable(name + variant, ports), { status, message });
    }
    results.set(`(file)${variant}`, { status: outcome.status, message: outcome.message });
    notes.push(...outcome.notes);
    calls += outcome.calls;
  }
  return { path: test.path, results, notes, calls };
}

function runPage(job) {
  return new Promise((resolve, reject) => {
    const child = fork(CHILD, [], {
      execArgv: ['--expose-gc', '--no-warnings'],
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    let outcome = { results: [], status: 'CRASH', message: '', notes: [], calls: 0 };
    let stderr = '';
    const timer = setTimeout(() => child.kill('SIGKILL'), job.timeoutMs + SLACK_MS);
    child.stderr.on('data', (chunk) => {
      stderr = (stderr + chunk).slice(-2000);
    });
    child.on('message', (message) => {
      if (message.kind === 'done') outcome = { ...message, notes: [], calls: 0 };
      if (message.kind === 'closed') outcome.calls = message.calls;
      if (message.kind === 'closed' && !message.inTime) outcome.notes.push('close() did not end in time');
    });
    child.on('error', reject);
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      if (outcome.status === 'CRASH') outcome.message = `ended with ${signal ?? code} ${stderr.trim()}`;
      else if (signal) outcome.notes.push(`had to be ended with ${signal}`);
      resolve(outcome);
    });
    child.send(job);
  });
}

/** A name without what changes from run to run. */
function stable(name, ports) {
  return name
    .replace(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, '{uuid}')
    .replaceAll(`:${ports.http[0]}`, ':{port}')
    .replaceAll(`:${ports.http[1]}`, ':{port2}');
}

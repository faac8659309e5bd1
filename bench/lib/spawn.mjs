import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const CHILD = fileURLToPath(new URL('../child.mjs', import.meta.url));

/** Runs one scenario in a fresh process and gives what it measured. */
export function runFresh(scenario, options = {}, { execArgv = [] } = {}) {
  return new Promise((resolve, reject) => {
    const child = fork(CHILD, [scenario, JSON.stringify(options)], { execArgv });
    let result;
    child.once('message', (message) => {
      result = message;
    });
    child.once('error', reject);
    child.once('exit', (code, signal) => {
      if (code === 0 && result !== undefined) resolve(result);
      else
        reject(new Error(`${scenario} ended with ${signal ?? code} and ${result === undefined ? 'no' : 'a'} result`));
    });
  });
}

/** Starts a scenario that serves until it is told to stop; its first message says where. */
export function serve(scenario, options = {}) {
  const child = fork(CHILD, [scenario, JSON.stringify(options)]);
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`${scenario} ended with ${code}`)));
    child.once('message', (message) => {
      const stopped = new Promise((done) => child.once('exit', done));
      resolve({
        ...message,
        stop: () => {
          child.send('stop');
          return stopped;
        },
      });
    });
  });
}

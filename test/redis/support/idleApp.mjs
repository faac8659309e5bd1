// A process with a queue on Redis in which nothing is under way: `node idleApp.mjs <dist> <port> <close?>`. It is to end by itself.
import { pathToFileURL } from 'node:url';

const [dist, port, ends] = process.argv.slice(2);
const { QuickSetup } = await import(pathToFileURL(`${dist}/index.js`).href);
const queue = await QuickSetup.redis({ port: Number(port) });
await queue.enqueue({ method: 'POST', url: 'http://127.0.0.1:9/x' }, { notBefore: Date.now() + 3_600_000 });
if (ends === 'close') await queue.close();
console.log('done');

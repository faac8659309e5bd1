// A process with a queue on Redis in which nothing is under way: `node idleApp.mjs <dist> <connection as JSON> <close or idle>`. It is to end by itself.
import { pathToFileURL } from 'node:url';

const [dist, connection, end] = process.argv.slice(2);
const { QuickSetup } = await import(pathToFileURL(`${dist}/index.js`).href);
const queue = await QuickSetup.redis(JSON.parse(connection));
await queue.enqueue({ method: 'POST', url: 'http://127.0.0.1:9/x' }, { notBefore: Date.now() + 3_600_000 });
if (end === 'close') await queue.close();
console.log('done');

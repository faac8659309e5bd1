// Runs every snippet of the page "Works with your SDK" with the SDKs installed here, against a server on loopback: node docs.mjs
import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const HERE = fileURLToPath(new URL('.', import.meta.url));
const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const PAGE = readFileSync(join(ROOT, 'docs/sdks.md'), 'utf8');

const snippets = [...PAGE.matchAll(/^```js fragment\n([\s\S]*?)^```$/gm)].map(([, code]) => code);
if (snippets.length === 0) throw new Error('the page has no snippets');

const installed = join(HERE, 'node_modules/holdfast');
if (!existsSync(installed)) symlinkSync(ROOT, installed, 'dir');

const server = createServer((request, response) => {
  request.resume();
  request.on('end', () => {
    response.setHeader('content-type', 'application/json');
    response.end('{"id":"7"}');
  });
});
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
const folder = mkdtempSync(join(HERE, '.docs-'));

// Some SDKs want one from the start, which Node has from 22 on; no snippet opens it.
globalThis.WebSocket ??= class WebSocket {};
const { QuickSetup } = await import('holdfast');
const queue = await QuickSetup.memory();
globalThis.ground = { queue, apiKey: 'key', baseUrl: `http://127.0.0.1:${server.address().port}` };

let failed = 0;
try {
  for (const [index, code] of snippets.entries()) {
    const file = join(folder, `snippet${index}.mjs`);
    writeFileSync(file, `const { queue, apiKey, baseUrl } = globalThis.ground;\n${code}`);
    const name = /from '((?!holdfast)[^']+)'/.exec(code)?.[1] ?? `snippet ${index}`;
    try {
      await import(pathToFileURL(file).href);
      console.log(`ok      ${name}`);
    } catch (error) {
      failed += 1;
      console.log(`FAILED  ${name}: ${error?.stack ?? error}`);
    }
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
  await queue.close();
  server.closeAllConnections();
  server.close();
}
console.log(`${snippets.length - failed} of ${snippets.length} snippets run`);
process.exitCode = failed === 0 ? 0 : 1;

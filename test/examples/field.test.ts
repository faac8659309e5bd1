import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const MAIN = fileURLToPath(new URL('../../examples/field/main.mjs', import.meta.url));

it('the field example tells its story and ends as promised', async () => {
  const child = spawn(process.execPath, [MAIN], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [output, [code]] = await Promise.all([text(child.stdout), once(child, 'exit')]);
  expect(output.trimEnd().split('\n').at(-1), output).toBe(
    '5 accepted offline, 5 applied, 1 resend recognised, 3 refer to ticket 1001, 1 conflict merged, 0 left or held',
  );
  expect(code, output).toBe(0);
});

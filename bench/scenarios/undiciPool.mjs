import { Pool } from 'undici';
import { closedLoop } from '../lib/loop.mjs';
import { BODY, PATH } from '../lib/payload.mjs';

/** The same POSTs on a bare undici pool. */
export async function run({ origin, loop }) {
  const pool = new Pool(origin);
  const headers = { 'content-type': 'application/json' };
  const call = async () => {
    const { body } = await pool.request({ method: 'POST', path: PATH, headers, body: JSON.stringify(BODY) });
    return body.json();
  };
  const result = await closedLoop({ ...loop, call });
  await pool.close();
  return result;
}

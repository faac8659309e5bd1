import { closedLoop } from '../lib/loop.mjs';
import { BODY, PATH } from '../lib/payload.mjs';

/** The same POSTs with the fetch of Node. */
export function run({ origin, loop }) {
  const url = origin + PATH;
  const headers = { 'content-type': 'application/json' };
  const call = async () => {
    const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify(BODY) });
    return response.json();
  };
  return closedLoop({ ...loop, call });
}

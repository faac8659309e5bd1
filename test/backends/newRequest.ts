import type { NewRequest } from '../../src/queue/types/request.ts';

export const NOW = 1_700_000_000_000;

let made = 0;

/** A request as the engine would hand it over, with an id of its own. */
export function newRequest(fields: Partial<NewRequest> = {}): NewRequest {
  made += 1;
  return {
    id: `01890a5d-ac96-774b-bccf-${made.toString(16).padStart(12, '0')}`,
    zone: 'api',
    channel: 'api',
    sender: '',
    ephemeral: false,
    content: { method: 'POST', path: '/notes', headers: [['content-type', 'text/plain']], body: 'hello' },
    effect: 'action',
    harmless: false,
    lane: null,
    after: [],
    refs: [],
    principal: 'ann',
    auth: 'none',
    client: null,
    key: null,
    fingerprint: null,
    digest: null,
    join: { rule: 'none' },
    idempotencyKey: null,
    base: null,
    priority: 5,
    rank: { form: 'value', value: 0 },
    notBefore: null,
    expiresAt: null,
    acceptedAt: NOW,
    trace: null,
    tags: [],
    durable: true,
    replayOf: null,
    bytes: 10,
    ...fields,
  };
}

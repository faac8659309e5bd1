import assert from 'node:assert/strict';
import type { NewRequest, StoredRequest } from '../../queue/types/request.ts';
import type { ClaimQuery } from '../../queue/types/store.ts';
import { PROMOTIONS_PER_CLAIM } from '../../queue/types/store.ts';
import { group } from './group.ts';
import type { Accepted, Trial } from './Trial.ts';
import { ids, LEASE_MS } from './Trial.ts';

type Channel = ClaimQuery['channels'][number];

const ranked = (value: number) => ({ rank: { form: 'value', value } }) as const;

/** A claim from a channel of which so much is stored under each name. */
function channel(calls: Readonly<Record<string, number>>, fields: Partial<Channel> = {}): Channel {
  const parts = Object.entries(calls).map(([name, most]) => ({ channel: name, calls: most }));
  return { channel: 'api', senders: [''], calls: 100, perCall: 1, parts, ...fields };
}

function claim(t: Trial, ...channels: readonly Channel[]): Promise<StoredRequest[]> {
  return t.claim(0, { channels });
}

/** Accepts requests of these channels, the best first. */
async function fill(
  t: Trial,
  names: readonly string[],
  fields: (n: number) => Partial<NewRequest> = () => ({}),
): Promise<Accepted[]> {
  const accepted: Accepted[] = [];
  for (const [n, name] of names.entries()) accepted.push(await t.accept({ channel: name, ...ranked(n), ...fields(n) }));
  return accepted;
}

const of = <T>(list: readonly T[], ...places: readonly number[]): T[] => places.map((n) => list[n] as T); // of a list that long

export const claimPartsGroup = group('claim of a channel in parts', (test, handles) => {
  test('leases all parts in one order by rank, then by acceptance', async (t) => {
    const [d, b, a, c] = [
      await t.accept({ channel: 'p', ...ranked(2) }),
      await t.accept({ channel: 'q', ...ranked(1) }),
      await t.accept({ channel: 'r', ...ranked(-1.5) }),
      await t.accept({ channel: 'p', ...ranked(1) }),
    ];
    assert.deepEqual(ids(await claim(t, channel({ p: 9, q: 9, r: 9 }))), ids([a, b, c, d]));
  });

  test('gives records as they are stored', async (t) => {
    await fill(t, ['p', 'q']);
    const claimed = await claim(t, channel({ p: 9, q: 9 }));
    assert.deepEqual(claimed, [await t.get(claimed[0]?.id ?? ''), await t.get(claimed[1]?.id ?? '')]);
    assert.deepEqual(
      claimed.map((one) => [one.channel, one.state]),
      [
        ['p', 'sending'],
        ['q', 'sending'],
      ],
    );
  });

  test('leases of each part no more than its calls, and passes over one that has no more', async (t) => {
    const batch = await fill(t, ['p', 'p', 'p', 'q', 'p', 'q', 'q']);
    assert.deepEqual(ids(await claim(t, channel({ p: 2, q: 2 }))), ids(of(batch, 0, 1, 3, 5)));
    assert.deepEqual(ids(await claim(t, channel({ p: 1, q: 9 }))), ids(of(batch, 2, 6)));
    await t.stands(batch[4]?.id ?? '', 'ready');
  });

  test('a part that lacks requests leaves its calls to none', async (t) => {
    const batch = await fill(t, ['p', 'q', 'q', 'q']);
    assert.deepEqual(ids(await claim(t, channel({ p: 5, q: 2 }))), ids(of(batch, 0, 1, 2)));
  });

  test('leases no more than its calls in all, whatever the parts may have', async (t) => {
    const batch = await fill(t, ['p', 'q', 'q', 'p', 'p', 'q']);
    assert.deepEqual(ids(await claim(t, channel({ p: 9, q: 9 }, { calls: 3 }))), ids(of(batch, 0, 1, 2)));
    assert.deepEqual(ids(await claim(t, channel({ p: 1, q: 9 }, { calls: 2 }))), ids(of(batch, 3, 5)));
  });

  test('counts requests that share a call for parts as for all', async (t) => {
    const batch = await fill(t, ['p', 'p', 'p', 'q', 'q', 'q', 'q']);
    assert.deepEqual(
      ids(await claim(t, channel({ p: 1, q: 2 }, { calls: 2, perCall: 2 }))),
      ids(of(batch, 0, 1, 3, 4)),
    );
    assert.deepEqual(ids(await claim(t, channel({ p: 3, q: 1 }, { calls: 9, perCall: 2 }))), ids(of(batch, 2, 5, 6)));
  });

  test('nothing of a part without calls is leased, promoted or ended', async (t) => {
    const over = { expiresAt: t.now + 1 };
    const late = await t.accept({ channel: 'p', ...over, ...ranked(-1) });
    const due = await t.accept({ channel: 'p', notBefore: t.now + 1, ...ranked(-2) });
    const batch = await fill(t, ['p', 'q', 'p']);
    t.now += 1;
    assert.deepEqual(ids(await claim(t, channel({ p: 0, q: 9 }))), ids(of(batch, 1)));
    assert.deepEqual(await claim(t, channel({ p: 0 })), []);
    assert.deepEqual(await claim(t, channel({ p: 9 }, { calls: 0 })), []);
    await t.stands(late.id, 'ready');
    await t.stands(due.id, 'scheduled');
    assert.deepEqual(await t.counts(), { ready: 3, scheduled: 1, sending: 1 });
  });

  test('nothing of its own name is leased unless it is one of the parts', async (t) => {
    const batch = await fill(t, ['api', 'p']);
    assert.deepEqual(ids(await claim(t, channel({ p: 9 }))), ids(of(batch, 1)));
    assert.deepEqual(ids(await claim(t, channel({ p: 9, api: 9 }))), ids(of(batch, 0)));
  });

  test('no part in the list is nothing to lease', async (t) => {
    const due = await t.accept({ notBefore: t.now + 1 });
    await t.accept();
    t.now += 1;
    assert.deepEqual(await claim(t, channel({})), []);
    await t.stands(due.id, 'scheduled');
  });

  test('parts that are empty or unknown are nothing to it', async (t) => {
    await t.done({ channel: 'gone' });
    const batch = await fill(t, ['p']);
    assert.deepEqual(await claim(t, channel({ gone: 9, never: 9 })), []);
    assert.deepEqual(ids(await claim(t, channel({ gone: 9, p: 9, never: 9 }))), ids(batch));
  });

  test('without parts it is as ever', async (t) => {
    const [own] = await fill(t, ['api', 'p', 'q']);
    const { parts: _, ...whole } = channel({});
    assert.deepEqual(ids(await claim(t, { ...whole, parts: undefined })), ids([own as Accepted]));
    assert.deepEqual(await claim(t, whole), []);
  });

  test('each channel of a claim has its own parts', async (t) => {
    const batch = await fill(t, ['p', 'p', 'q', 'api', 'r', 'r']);
    const { parts: _, ...whole } = channel({});
    assert.deepEqual(
      ids(await claim(t, channel({ r: 1 }, { channel: 'c' }), whole, channel({ p: 1, q: 1 }, { channel: 'd' }))),
      ids(of(batch, 4, 3, 0, 2)),
    );
  });

  test('a part counts over its senders together', async (t) => {
    const senders = ['', 'client:a'];
    const batch = await fill(t, ['p', 'p', 'p', 'q', 'q', 'p', 'q'], (n) => ({ sender: senders[n % 2] ?? '' }));
    const foreign = await t.accept({ channel: 'q', sender: 'client:b', ...ranked(-1) });
    assert.deepEqual(ids(await claim(t, channel({ p: 3, q: 2 }, { senders }))), ids(of(batch, 0, 1, 2, 3, 4)));
    assert.deepEqual(ids(await claim(t, channel({ p: 3, q: 2 }, { senders: ['client:a'] }))), ids(of(batch, 5)));
    await t.stands(foreign.id, 'ready');
  });

  test('what is due in any part is promoted and leased in its turn', async (t) => {
    const later = { notBefore: t.now + 10 };
    const batch = await fill(t, ['p', 'q', 'r', 'q'], (n) => (n === 0 || n === 3 ? {} : later));
    const last = await t.accept({ channel: 'r', notBefore: t.now + 11, ...ranked(-1) });
    t.now += 10;
    assert.deepEqual(ids(await claim(t, channel({ p: 1, q: 1, r: 1 }))), ids(of(batch, 0, 1, 2)));
    await t.stands(last.id, 'scheduled');
  });

  test('promotes of every part what it may lease, however much is due in others', async (t) => {
    const later = { notBefore: t.now + 1 };
    for (let n = 0; n < PROMOTIONS_PER_CLAIM + 6; n += 1) await t.accept({ channel: 'p', ...later });
    for (const name of ['q', 'q', 'q', 'r', 'r']) await t.accept({ channel: name, notBefore: t.now + 2 });
    t.now += 2;
    const claimed = await claim(t, channel({ p: 1, q: 2, r: 9 }, { calls: 9 }));
    assert.deepEqual(
      claimed.map((one) => one.channel),
      ['p', 'q', 'q', 'r', 'r'],
    );
    const promoted = PROMOTIONS_PER_CLAIM - 1;
    assert.deepEqual(await t.counts(), { sending: 5, ready: promoted, scheduled: 7 });
  });

  test('what is past its deadline is ended, reported, and counts for no part', async (t) => {
    const over = { expiresAt: t.now + 1 };
    const batch = await fill(t, ['p', 'q', 'p', 'p', 'q', 'p'], (n) => (n < 3 ? over : {}));
    t.now += 1;
    const { claimed, ended } = await t.requests.claim({
      worker: t.worker,
      now: t.now,
      leaseUntil: t.leaseNow + LEASE_MS,
      channels: [channel({ p: 1, q: 1 })],
    });
    assert.deepEqual(ids(claimed), ids(of(batch, 3, 4)));
    assert.deepEqual(ids(ended), ids(of(batch, 0, 1, 2)));
    await t.stands(batch[5]?.id ?? '', 'ready');
  });

  test('behind an ended one of a part stands the next of it, before what is worse in others', async (t) => {
    const over = { expiresAt: t.now + 1 };
    const batch = await fill(t, ['p', 'p', 'p', 'q', 'q'], (n) => (n < 2 ? over : {}));
    t.now += 1;
    assert.deepEqual(ids(await claim(t, channel({ p: 1, q: 9 }, { calls: 2 }))), ids(of(batch, 2, 3)));
  });

  test('what is past its deadline in a part that has no more is left', async (t) => {
    const over = { expiresAt: t.now + 1 };
    const batch = await fill(t, ['p', 'p', 'q', 'p', 'q'], (n) => (n === 1 || n === 3 ? over : {}));
    t.now += 1;
    assert.deepEqual(ids(await claim(t, channel({ p: 1, q: 9 }))), ids(of(batch, 0, 2, 4)));
    await t.stands(batch[1]?.id ?? '', 'ready');
    await t.stands(batch[3]?.id ?? '', 'ready');
  });

  test('what comes forward behind an ended one is leased in its turn, in whatever part it is', async (t) => {
    const head = await t.accept({ channel: 'p', lane: 'l', expiresAt: t.now + 1, ...ranked(0) });
    const next = await t.accept({ channel: 'q', lane: 'l', ...ranked(0.5) });
    const [, other] = await fill(t, ['q', 'q', 'p'], (n) => ranked(n + 1));
    t.now += 1;
    const claimed = await claim(t, channel({ p: 1, q: 2 }, { calls: 2 }));
    await t.stands(head.id, 'dead');
    assert.equal(claimed[0]?.id, next.id);
    await t.stands(other?.id ?? '', 'ready');
  });

  test('as many are leased as there are, however many before them were past their deadline', async (t) => {
    const over = { expiresAt: t.now + 1 };
    const names = Array.from({ length: 24 }, (_, n) => (n % 3 === 0 ? 'q' : 'p'));
    const batch = await fill(t, names, (n) => (n % 4 === 3 ? {} : over));
    t.now += 1;
    assert.deepEqual(ids(await claim(t, channel({ p: 3, q: 1 }))), ids(of(batch, 3, 7, 11, 19)));
  });

  test('a limit of their zone holds for all parts together', async (t) => {
    const batch = await fill(t, ['p', 'q', 'p', 'q']);
    const within = [{ zone: 'api', sending: 3 }];
    assert.deepEqual(ids(await claim(t, channel({ p: 1, q: 9 }, { within }))), ids(of(batch, 0, 1, 3)));
    assert.deepEqual(await claim(t, channel({ p: 9, q: 9 }, { within })), []);
  });

  test('a limit of a part that is full stops at the first of it', async (t) => {
    const batch = await fill(t, ['q', 'p', 'q', 'p', 'q']);
    const within = [{ zone: 'api', channel: 'p', sending: 1 }];
    assert.deepEqual(ids(await claim(t, channel({ p: 9, q: 9 }, { within }))), ids(of(batch, 0, 1, 2)));
    assert.deepEqual(await claim(t, channel({ p: 9, q: 9 }, { within })), []);
    // Passed over as a part, it stops nothing.
    assert.deepEqual(ids(await claim(t, channel({ p: 0, q: 9 }, { within }))), ids(of(batch, 4)));
  });

  test('room for one part is room whatever stands last in the list', async (t) => {
    const batch = await fill(t, ['p', 'p', 'q']);
    const within = [{ zone: 'api', channel: 'q', sending: 0 }];
    assert.deepEqual(ids(await claim(t, channel({ p: 9, q: 9 }, { within }))), ids(of(batch, 0, 1)));
    await fill(t, ['p', 'p']);
    assert.equal((await claim(t, channel({ q: 0, p: 1 }, { within }))).length, 1);
    assert.deepEqual(await claim(t, channel({ q: 9 }, { within })), []);
  });

  test('without room nothing of any part is ended', async (t) => {
    await t.take();
    const over = { expiresAt: t.now + 1 };
    const batch = await fill(t, ['p', 'q'], () => over);
    t.now += 1;
    assert.deepEqual(await claim(t, channel({ p: 1, q: 1 }, { within: [{ zone: 'api', sending: 1 }] })), []);
    for (const { id } of batch) await t.stands(id, 'ready');
  });

  test('parts may be of several zones', async (t) => {
    const batch = await fill(t, ['p', 'q', 'p', 'q'], (n) => ({ zone: n % 2 === 0 ? 'a' : 'b' }));
    const within = [
      { zone: 'a', sending: 1 },
      { zone: 'b', sending: 9 },
    ];
    assert.deepEqual(ids(await claim(t, channel({ p: 9, q: 9 }, { within }))), ids(of(batch, 0, 1)));
    assert.deepEqual(ids(await claim(t, channel({ p: 0, q: 9 }, { within }))), ids(of(batch, 3)));
  });

  handles('hands each request to one worker, whatever part it asks for', async (t) => {
    const other = await t.open('worker-2');
    await fill(
      t,
      Array.from({ length: 40 }, (_, n) => (n % 2 === 0 ? 'p' : 'q')),
    );
    const rounds = await Promise.all(
      Array.from({ length: 16 }, (_, n) => {
        const channels = [n % 4 < 2 ? channel({ p: 1, q: 2 }) : channel({ q: 1, p: 2 })];
        return t.claim(0, { worker: n % 2 ? 'worker-2' : t.worker, channels }, n % 2 ? other : t.backend);
      }),
    );
    const claimed = ids(rounds.flat());
    assert.equal(new Set(claimed).size, claimed.length);
    assert.equal(claimed.length, 40);
  });
});

import { expect, it } from 'vitest';
import type { ServerStep } from '../../../src/testing/serverSteps.ts';
import { refuse } from '../../../src/testing/serverSteps.ts';
import { record } from '../../core/harness.ts';
import { Ground, MINUTE_MS } from './support/Ground.ts';
import type { Kind } from './support/kinds.ts';
import { BARE, PUT } from './support/kinds.ts';
import { report, says } from './support/report.ts';
import { Site, told } from './support/Site.ts';
import type { FaultStore } from './support/stores.ts';
import { describeStores } from './support/stores.ts';
import { tlsFront } from './support/tlsFront.ts';

type Scheme = 'http' | 'https';

const LOGIN = ['location', 'http://login.portal.test/?next=you'] as const;
const HTML = ['content-type', 'text/html; charset=utf-8'] as const;
const READ: Kind = { ...PUT, name: 'GET', method: 'GET', headers: { accept: 'application/json' }, body: undefined };

const PAGE = refuse({ status: 200, headers: [HTML], body: '<html>Accept our terms</html>' });
const REDIRECT = refuse({ status: 302, headers: [LOGIN, HTML], body: '<html>Moved</html>' });
const AUTHENTICATE = refuse({ status: 511, headers: [HTML], body: '<html>Log in</html>' });

/** Requests meet a portal in the place of their API for two minutes; then the API is there. */
async function meet(
  store: FaultStore,
  what: string,
  scheme: Scheme,
  step: ServerStep,
  { kinds, expects = false }: { readonly kinds: readonly Kind[]; readonly expects?: boolean },
) {
  const site = await Site.open();
  // Whichever of them tries the zone first, there is something to read.
  if (kinds.includes(READ)) site.api.edit(READ.path, { m: 0 });
  const origin = scheme === 'http' ? site.server.origin : await tlsFront(site.server.origin);
  const ground = new Ground(await store.make(), [site]);
  const zone = { origins: [origin], ...(expects && { expect: { contentTypes: ['application/json'] } }) };
  const queue = await ground.queue({ zones: { api: zone } });
  const events = record(queue, 'zone:captive', 'zone:online');
  site.server.script.always(step);
  const ids: string[] = [];
  for (const { method, path, headers, body } of kinds) {
    ids.push((await queue.enqueue({ method, url: `${origin}${path}`, headers, body })).id);
    await ground.calm();
  }
  await ground.pass(2 * MINUTE_MS);
  const captive = { saw: site.saw(), counts: await queue.counts() };
  site.server.script.clear();
  const counts = await ground.drained(queue);
  const what2 = `${what}, ${scheme}${expects ? ' that expects JSON' : ''}`;
  report(
    `T8 ${what2}`,
    store.kind,
    `portal: ${told(captive.saw)}`,
    says(captive.counts),
    `then: ${told(site.saw())}`,
    says(counts),
  );
  return { site, ground, queue, events: events.map(({ name }) => name), captive, counts, ids };
}

describeStores('T8: a captive portal', (store) => {
  it.each<[string, Scheme, ServerStep, readonly Kind[]]>([
    ['200 and a page', 'http', PAGE, [BARE, PUT, READ]],
    ['302 to its own host', 'http', REDIRECT, [BARE, PUT]],
    ['511', 'http', AUTHENTICATE, [BARE, PUT, READ]],
    ['511', 'https', AUTHENTICATE, [BARE, PUT, READ]],
  ])('that answers %s on %s is taken for no answer of the API: nothing was sent', async (what, scheme, step, kinds) => {
    const { site, events, captive, counts } = await meet(store, what, scheme, step, { kinds });
    expect(captive.counts).toMatchObject({ succeeded: 0, dead: 0, held: 0, unknown: 0 });
    expect(events).toEqual(['zone:captive', 'zone:online']);
    expect(site.changes()).toHaveLength(2);
    expect(counts).toMatchObject({ succeeded: kinds.length });
  });

  // Whoever has the certificate of the API may have passed on what it was sent.
  it.each<[string, string, ServerStep, boolean]>([
    ['302 to its own host', 'nothing declared', REDIRECT, false],
    ['302 to its own host', 'JSON declared', REDIRECT, true],
    ['200 and a page', 'JSON declared', PAGE, true],
  ])(
    'with the certificate of the API that answers %s leaves writes in doubt (%s)',
    async (what, _declared, step, expects) => {
      const { site, ground, queue, events, captive, ids } = await meet(store, what, 'https', step, {
        kinds: [BARE, PUT],
        expects,
      });
      expect(captive.counts).toMatchObject({ succeeded: 0, dead: 0 });
      expect(captive.saw).toMatchObject({ applied: 0 });
      if (expects) expect(events[0]).toBe('zone:captive');
      const [bare = '', put = ''] = ids;
      expect(await queue.get(put)).toMatchObject({ state: 'succeeded' });
      expect(await queue.get(bare)).toMatchObject({ state: 'held', reason: 'unknown' });
      expect(site.saw(`POST ${BARE.path}`)).toMatchObject({ arrivals: 1 });
      await queue.held.resolve(bare, 'resend', 'tester');
      await ground.drained(queue);
      expect(
        site
          .changes()
          .map(({ method }) => method)
          .sort(),
      ).toEqual(['POST', 'PUT']);
    },
  );
});

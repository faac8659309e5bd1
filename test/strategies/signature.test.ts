import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { answeredError } from '../../src/queue/strategies/answeredError.ts';
import { maskedText } from '../../src/queue/strategies/maskedText.ts';
import { pathTemplate } from '../../src/queue/strategies/pathTemplate.ts';
import { signatureOf } from '../../src/queue/strategies/signature.ts';
import type { Attempt, StoredResult } from '../../src/queue/types/request.ts';
import { NO_PROGRESS } from '../../src/queue/types/request.ts';

const UUID = '019a8d2e-4f3c-7abc-8def-0123456789ab';

function answer(body: unknown, type = 'application/json', status = 422): StoredResult {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return { status, headers: [['Content-Type', type]], body: Buffer.from(text) };
}

function attempt(given: Partial<Attempt>): Attempt {
  return { n: 1, at: 0, phase: 'answered', outcome: 'notApplied', status: null, error: null, origin: 'o', ...given };
}

function failed(
  path: string,
  result: StoredResult | null,
  last: Partial<Attempt> = { status: result?.status ?? null },
) {
  const content = { method: 'POST', path, headers: [], body: null };
  return {
    zone: 'crm',
    content,
    reason: 'rejected',
    progress: { ...NO_PROGRESS, attempts: [attempt(last)] },
    result,
  } as const;
}

describe('the template of a path', () => {
  it.each([
    ['/tickets/17', '/tickets/{id}'],
    ['/tickets/17?since=2024#x', '/tickets/{id}'],
    [`/tickets/${UUID}/notes/`, '/tickets/{id}/notes/'],
    [`/tickets/local.ticket.${UUID}`, '/tickets/{id}'],
    ['/blobs/9f86d081884c7d659a2feaa0c55ad015', '/blobs/{id}'],
    ['/blobs/9f86d08', '/blobs/9f86d08'],
    ['/v1/customers/cus_NffrFeUfNV2Hib', '/v1/customers/{id}'],
    ['/ulids/01ARZ3NDEKTSV4RRFFQ69G5FAV', '/ulids/{id}'],
    ['/V1.0/Tickets/query', '/V1.0/Tickets/query'],
    ['/invoices/INV-2024-00012/lines', '/invoices/{id}/lines'],
    ['/days/2024-11-05', '/days/{id}'],
    ['/users/ann%40example.com', '/users/{id}'],
    ["/odata/Users('ann')/Photo", '/odata/Users({id})/Photo'],
    ['/odata/Tickets(17)', '/odata/Tickets({id})'],
    ['/odata/TopUsers()', '/odata/TopUsers()'],
    ['/ConfigurationItemCategoryUdfAssociations', '/ConfigurationItemCategoryUdfAssociations'],
    ['/oauth2/token', '/oauth2/token'],
    ['/a%ZZ', '/a%ZZ'],
    [`/x/${'long'.repeat(20)}`, '/x/{id}'],
    ['/', '/'],
    ['', ''],
  ])('of %s is %s', (path, template) => {
    expect(pathTemplate(path)).toBe(template);
    expect(pathTemplate(template)).toBe(template);
  });

  it('is the same for every number, UUID and digest, and bounded', () => {
    const number = fc.nat().map(String);
    const hex = fc.stringMatching(/^[0-9a-f]{32}$/).filter((text) => /\d/.test(text));
    fc.assert(
      fc.property(fc.oneof(number, fc.uuid(), hex), (id) => {
        expect(pathTemplate(`/tickets/${id}/notes`)).toBe('/tickets/{id}/notes');
      }),
    );
    fc.assert(
      fc.property(fc.string({ maxLength: 2_000 }), (path) => {
        expect(pathTemplate(path).length).toBeLessThan(210);
      }),
    );
  });
});

describe('a masked message', () => {
  it.each([
    ['Ticket 4711 does not exist', 'Ticket {n} does not exist'],
    ['Field "name" is too long (300 > 255)', 'Field {text} is too long ({n} > {n})'],
    ["value 'x y' can't be used", "value {text} can't be used"],
    [`no such id ${UUID}.`, 'no such id {id}.'],
    ['expired at 2024-11-05T10:00:00.123Z', 'expired at {time}'],
    ['expired at 2024-11-05 10:00:00 +0100, sorry', 'expired at {time}, sorry'],
    ['not before Sun, 06 Nov 1994 08:49:37 GMT', 'not before {time}'],
    ['bad  \n\t digest 9f86d081884c7d65', 'bad digest {id}'],
    ['unknown user ann@example.com', 'unknown user {text}'],
    ['price -12.50 is below 0', 'price {n} is below {n}'],
    ['Order INV20261129 is paid', 'Order {id} is paid'],
    ['Ticket T12345 is closed', 'Ticket {id} is closed'],
    ['no row 5f3c9a, see 0x7ffee4', 'no row {id}, see {id}'],
    ['took 12ms of 34567ms', 'took {n}ms of {n}ms'],
    ['E1234: OAuth2 and x509v3 failed', 'E1234: OAuth2 and x509v3 failed'],
    ['AADSTS700016: no such application', 'AADSTS700016: no such application'],
    ['', ''],
  ])('of %j is %j', (text, masked) => {
    expect(maskedText(text)).toBe(masked);
  });

  it('is bounded, and does not depend on numbers, ids and quotations', () => {
    fc.assert(
      fc.property(fc.nat(), fc.uuid(), fc.stringMatching(/^[^"]{0,40}$/), (n, id, quoted) => {
        expect(maskedText(`item ${n} of ${id}: "${quoted}" is taken`)).toBe('item {n} of {id}: {text} is taken');
      }),
    );
    fc.assert(
      fc.property(fc.string({ maxLength: 9_000 }), (text) => {
        expect(maskedText(text).length).toBeLessThan(161);
      }),
    );
  });
});

describe('what an answer says of its error', () => {
  it.each([
    [
      'a problem',
      { type: 'https://e.example/out-of-credit', title: 'Not enough credit', detail: 'has 30' },
      'https://e.example/out-of-credit: Not enough credit',
    ],
    ['a problem without a type', { type: 'about:blank', title: 'Conflict', status: 409 }, 'Conflict'],
    [
      'a nested error',
      { error: { code: 'card_declined', message: 'Card 4242 was declined', type: 'card_error' } },
      'card_declined: Card {n} was declined',
    ],
    ['a numbered error', { error: { code: 190, message: 'Token expired' } }, '190: Token expired'],
    ['OAuth', { error: 'invalid_grant', error_description: 'Code "x" is used' }, 'invalid_grant: Code {text} is used'],
    ['a list of texts', { errors: ['Ticket 7 is closed', 'other'] }, 'Ticket {n} is closed'],
    ['a list of errors', { errors: [{ code: 'E1', title: 'Bad', detail: 'x' }] }, 'E1: Bad'],
    [
      'a bare list',
      [{ errorCode: 'REQUIRED_FIELD_MISSING', message: 'Required: 3' }],
      'REQUIRED_FIELD_MISSING: Required: {n}',
    ],
    ['refused fields', { errors: { name: ['is blank'], email: ['is taken', 'x'] } }, 'email, name: is taken'],
    ['a message', { Message: 'No HTTP resource was found' }, 'No HTTP resource was found'],
    ['a detail', { detail: 'Not found.' }, 'Not found.'],
    [
      'details by field',
      { detail: [{ loc: ['body'], msg: 'field required', type: 'missing' }] },
      'missing: field required',
    ],
    ['a text', '"no such 7"', 'no such {n}'],
    ['nothing', {}, ''],
    ['nothing in a list', { errors: [] }, ''],
    ['a number', '7', ''],
    ['depth', `${'['.repeat(500)}"x"${']'.repeat(500)}`, ''],
    ['a field that objects have anyway', { constructor: 1 }, ''],
  ])('is found in %s', (_, body, text) => {
    expect(answeredError(answer(body))).toBe(text);
  });

  it.each([
    ['a page', '<html><head><title>502 Bad Gateway</title>', 'text/html', '{n} Bad Gateway'],
    [
      'XML',
      '<?xml?><Error><Code>NoSuchKey</Code><Message>Key 7 is gone</Message></Error>',
      'application/xml',
      'NoSuchKey: Key {n} is gone',
    ],
    ['a page without a title', '<html>no', 'text/html', ''],
    ['plain text', 'Rate limit of 5\nsecond line', 'text/plain', 'Rate limit of {n}'],
    ['bytes', '\u0000\u0001', 'application/octet-stream', ''],
  ])('is found in %s too', (_, body, type, text) => {
    expect(answeredError(answer(body, type))).toBe(text);
  });

  it('is empty where no body was kept, or a large one', () => {
    expect(answeredError(null)).toBe('');
    expect(answeredError({ status: 500, headers: [], body: null })).toBe('');
    expect(answeredError(answer({ message: 'x'.repeat(70_000) }))).toBe('');
  });

  it('never fails, whatever the body', () => {
    const bytes = fc.uint8Array({ maxLength: 200 });
    const json = fc.json().map((text) => Buffer.from(text));
    fc.assert(
      fc.property(fc.oneof(bytes, json), fc.string(), (body, type) => {
        const text = answeredError({ status: 400, headers: [['content-type', type]], body });
        expect(text.length).toBeLessThan(600);
      }),
      { numRuns: 300 },
    );
  });
});

describe('a signature', () => {
  it('is the same for another id, another number and another quotation, in every version', () => {
    const one = signatureOf(failed('/tickets/1', answer({ error: { code: 'bad', message: 'no "a" in 3' } })));
    const other = signatureOf(failed('/tickets/99?x', answer({ error: { code: 'bad', message: 'no "b c" in 4' } })));
    expect(other).toEqual(one);
    expect(one).toMatchObject({
      id: 'f79d9031bae39c2d',
      label: 'crm POST /tickets/{id}: 422 rejected (bad: no {text} in {n})',
      path: '/tickets/{id}',
      status: 422,
      error: null,
    });
  });

  it('differs by zone, method, path, reason, status and message', () => {
    const base = failed('/tickets/1', answer({ message: 'no' }));
    const others = [
      base,
      { ...base, zone: 'erp' },
      { ...base, content: { ...base.content, method: 'PUT' } },
      { ...base, content: { ...base.content, path: '/notes/1' } },
      { ...base, reason: 'exhausted' as const },
      failed('/tickets/1', answer({ message: 'no' }, 'application/json', 400)),
      failed('/tickets/1', answer({ message: 'yes' })),
      failed('/tickets/1', null, { error: 'ECONNRESET' }),
      failed('/tickets/1', null, { error: 'ETIMEDOUT' }),
    ];
    expect(new Set(others.map((one) => signatureOf(one).id)).size).toBe(others.length);
  });

  it('tells the error of a last attempt that had no answer, and not what an earlier one said', () => {
    const { status, error, message } = signatureOf(failed('/a', answer({ message: 'no' }), { error: 'ECONNRESET' }));
    expect({ status, error, message }).toEqual({ status: null, error: 'ECONNRESET', message: '' });
  });

  it('is had of what was never sent', () => {
    const { progress, ...rest } = failed('/a', null);
    const never = { ...rest, progress: NO_PROGRESS, reason: 'expired' } as const;
    expect(progress.attempts).toHaveLength(1);
    expect(signatureOf(never)).toMatchObject({ status: null, error: null, label: 'crm POST /a: expired' });
  });
});

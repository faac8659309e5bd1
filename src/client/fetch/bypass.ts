import type { FetchBody } from './fetchBody.ts';

/** Ports that fetch refuses to call (Fetch Standard, "port blocking"). */
const BAD_PORTS: ReadonlySet<string> = new Set(
  (
    '0 1 7 9 11 13 15 17 19 20 21 22 23 25 37 42 43 53 69 77 79 87 95 101 102 103 104 109 110 111 113 115 117 119 123 135 137 139 ' +
    '143 161 179 389 427 465 512 513 514 515 526 530 531 532 540 548 554 556 563 587 601 636 989 990 993 995 1719 1720 1723 ' +
    '2049 3659 4045 4190 5060 5061 6000 6566 6665 6666 6667 6668 6669 6679 6697 10080'
  ).split(' '),
);

/** Whether it is a call over HTTP at all: `data:` and `blob:` URLs are the platform's, and so is what is no URL. */
export function isOverHttp(input: string | URL | Request): boolean {
  const url = typeof input === 'string' ? input : input instanceof Request ? input.url : String(input);
  return /^[\0-\x20]*https?:/i.test(url); // a URL parser strips what is before
}

/** The platform refuses to call it, and says how. */
export function isBlocked({ port }: URL): boolean {
  return port !== '' && BAD_PORTS.has(port);
}

/** A body of fields, as token requests have. */
export function isForm(headers: Headers): boolean {
  return /^application\/x-www-form-urlencoded\b/i.test(headers.get('content-type') ?? '');
}

/** Event streams live as long as their connection, and token requests carry secrets in their body. */
export function isBypassedByNature(headers: Headers, body: FetchBody): boolean {
  if (/\btext\/event-stream\b/i.test(headers.get('accept') ?? '')) return true;
  return isForm(headers) && /(?:^|&)grant_type=/.test(textOf(body));
}

/** A body that asks for its answer piece by piece, as the APIs of language models have it. */
export function asksForStream(headers: Headers, body: FetchBody): boolean {
  if (!/[/+]json\b/i.test(headers.get('content-type') ?? '')) return false;
  return /"stream"\s*:\s*true/.test(textOf(body));
}

function textOf(body: FetchBody): string {
  if (!('now' in body) || body.now === null) return '';
  return typeof body.now === 'string' ? body.now : Buffer.from(body.now).toString('latin1');
}

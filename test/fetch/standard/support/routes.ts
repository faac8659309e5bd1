import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import type { Answer } from './exchange.ts';

/** Every byte there is: what is read as text on its way does not survive. */
export const EVERY_BYTE: Buffer = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));

const ENCODERS = { gzip: gzipSync, deflate: deflateSync, br: brotliCompressSync } as const;

/** What `/echo` tells of the request it got. */
export interface Echo {
  readonly method: string;
  readonly path: string;
  readonly host: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Base64. */
  readonly body: string;
}

/** What `/echo` answered. */
export async function echoOf(answer: Response): Promise<Echo> {
  return (await answer.json()) as Echo;
}

const echo: Answer = async (received, response) => {
  const { method, path, host, headers } = received;
  const body = (await received.body).toString('base64');
  response.writeHead(200, { 'content-type': 'application/json' });
  response.end(JSON.stringify({ method, path, host, headers, body }));
};

/** `/redirect/<status>?to=<location>` */
const redirect: Answer = async (received, response) => {
  await received.body;
  const { pathname, searchParams } = new URL(received.path, 'http://site');
  const location = searchParams.get('to');
  response.writeHead(Number(pathname.split('/')[2]), location === null ? {} : { location });
  response.end('moved');
};

/** `/status/<status>` with that status and, where there may be one, a body. */
const status: Answer = async (received, response) => {
  await received.body;
  response.writeHead(Number(received.path.split('/')[2]), { 'x-name': 'value' }).end('body');
};

/** `/encoded/<coding>`: every byte. */
const encoded: Answer = (received, response) => {
  const coding = received.path.split('/')[2] as keyof typeof ENCODERS;
  response.writeHead(200, { 'content-encoding': coding }).end(ENCODERS[coding](EVERY_BYTE));
};

/** Headers and `first`; `last` once released. `/held?type=<content type>` */
const held: Answer = async (received, response, released) => {
  const type = new URL(received.path, 'http://site').searchParams.get('type') ?? 'text/plain';
  response.writeHead(200, { 'content-type': type });
  response.write('first');
  await released;
  response.end('last');
};

/** Breaks off in the middle of the body, once the case has seen the head of the answer. */
const cut: Answer = async (received, response, released) => {
  response.writeHead(200, received.path.endsWith('/chunked') ? {} : { 'content-length': '100' });
  response.write('first');
  await released;
  response.destroy();
};

const ANSWERS: Readonly<Record<string, Answer>> = {
  echo,
  redirect,
  status,
  encoded,
  held,
  cut,
  text: (_, response) => void response.writeHead(200, 'Fine', { 'content-type': 'text/plain' }).end('hello'),
  json: (_, response) => void response.writeHead(200, { 'content-type': 'application/json' }).end('{"a":[1,2]}'),
  bytes: (_, response) => void response.writeHead(200, { 'content-type': 'image/x' }).end(EVERY_BYTE),
  empty: (_, response) => void response.writeHead(200, { 'content-length': '0' }).end(),
  silent: () => undefined,
  reset: async (received, response) => {
    await received.body;
    response.destroy();
  },
};

/** Answers by the first segment of the path. */
export const route: Answer = (received, response, released) => {
  const answer = ANSWERS[new URL(received.path, 'http://site').pathname.split('/')[1] ?? ''];
  if (answer === undefined) return void response.writeHead(404).end('no such path');
  return answer(received, response, released);
};

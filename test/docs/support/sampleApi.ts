import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** The server that stands for `https://api.example.com` while snippets run. */
export interface SampleApi {
  readonly origin: string;
  close(): Promise<void>;
}

/** Stores nothing: a write is answered with what was sent and an id, a read with a record whose id ends the path. */
export async function startSampleApi(): Promise<SampleApi> {
  const server = createServer((request, response) => {
    answer(request).then(
      ({ status, value }) => {
        response.writeHead(status, { 'content-type': 'application/json' });
        response.end(status === 204 ? undefined : JSON.stringify(value));
      },
      (error: unknown) => response.destroy(error as Error),
    );
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    origin: `http://127.0.0.1:${port}`,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

async function answer(request: IncomingMessage): Promise<{ status: number; value?: unknown }> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const last = new URL(request.url ?? '/', 'http://localhost').pathname.split('/').at(-1);
  const record = { id: last, text: 'hi', updatedAt: '2025-01-01T00:00:00Z' };
  if (request.method === 'DELETE') return { status: 204 };
  if (request.method === 'GET' || request.method === 'HEAD') return { status: 200, value: record };
  const isCreated = request.method === 'POST';
  return { status: isCreated ? 201 : 200, value: { ...record, id: isCreated ? '1' : last, ...parsed(chunks) } };
}

function parsed(chunks: readonly Buffer[]): object {
  try {
    const value: unknown = JSON.parse(Buffer.concat(chunks).toString('utf8'));
    return typeof value === 'object' && value !== null ? value : {};
  } catch {
    return {}; // not JSON: forms and text are answered without being read
  }
}

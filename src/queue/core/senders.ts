import type { Sender } from '../types/request.ts';

/** The four kinds of {@link Sender}, made and read in one place. */
export const ANYONE: Sender = '';

export function clientSender(name: string): Sender {
  return `client:${name}`;
}

/** Who may send what needs nobody's own credentials: whoever has the rules of its resource, else its client, if it is of any. */
export function senderOf(client: string | null, resource: string | undefined): Sender {
  const name = resource ?? client;
  return name === null ? ANYONE : clientSender(name);
}

export function processSender(worker: string): Sender {
  return `process:${worker}`;
}

export function principalSender(principal: string): Sender {
  return `principal:${principal}`;
}

export type SenderKind =
  | { readonly kind: 'anyone' }
  | { readonly kind: 'client'; readonly name: string }
  | { readonly kind: 'process'; readonly worker: string }
  | { readonly kind: 'principal'; readonly principal: string };

export function readSender(sender: Sender): SenderKind {
  const colon = sender.indexOf(':');
  const rest = sender.slice(colon + 1);
  switch (sender.slice(0, Math.max(0, colon))) {
    case 'client':
      return { kind: 'client', name: rest };
    case 'process':
      return { kind: 'process', worker: rest };
    case 'principal':
      return { kind: 'principal', principal: rest };
    default:
      return { kind: 'anyone' };
  }
}

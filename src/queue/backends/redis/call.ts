import type { HoldfastError } from '../../../errors.ts';
import type { Packable, Packer } from './msgpack.ts';
import { Unpacker } from './msgpack.ts';
import type { Verb } from './script.ts';

/** A script as calls of one queue run it. */
export interface LoadedScript {
  readonly text: string;
  readonly sha: string;
  readonly keys: readonly string[];
}

export interface LinkOptions {
  /** By the verbs that they run. */
  readonly scripts: ReadonlyMap<Verb, LoadedScript>;
  /** Channel of news about changes. */
  readonly news: string;
  /** A call is given up that was not answered for so long, or, while it waits behind others, when none of these was. */
  readonly commandTimeoutMs: number;
  /** Ms a lease lasts; null: the caller's times are used as they are. */
  readonly leaseMs: () => number | null;
  /** Waits until a write has the durability that was asked for, at most `commitMs`. */
  readonly commit?: (() => Promise<void>) | undefined;
  readonly commitMs: number;
  /** What a sign of life says, once the handle has a name. */
  readonly back: () => Packable;
}

/** A call that has no answer yet. */
export interface Call {
  readonly verb: Verb;
  /** 0: it only reads. */
  readonly number: number;
  readonly argument: Buffer;
  /** When it was made; moved on by what is not the server's fault. */
  askedAt: number;
  /** Epoch of the connection it was sent on; 0: not sent since the last loss. */
  epoch: number;
  /** How often it was sent. */
  sends: number;
  /** Its caller was told that there is no answer. */
  isGivenUp: boolean;
  readonly resolve: (answer: Buffer) => void;
  readonly reject: (error: HoldfastError) => void;
  readonly undo: Ask['undo'];
}

/** What a verb is asked with. */
export interface Ask {
  readonly writes: boolean;
  readonly leaseNow?: number | undefined;
  /** Given the answer when it comes after its caller was told that there is none. */
  readonly undo?: ((answer: Unpacker, link: Caller) => void) | undefined;
}

/** Who makes calls. */
export interface Caller {
  readonly packer: Packer;
  call(verb: Verb, payload: Packable, ask: Ask): Promise<Unpacker>;
}

/** Since when the server could have answered it. A server answers in order: what it has not refused waits while those before are answered. */
export function askedSince({ sends, epoch, askedAt }: Call, answeredAt: number): number {
  const isWaiting = sends === 0 || (sends === 1 && epoch !== 0);
  return isWaiting ? Math.max(askedAt, answeredAt) : askedAt;
}

/** It was refused, or its connection was lost: it does not wait for others any more. */
export function unsend(call: Call, answeredAt: number): void {
  call.askedAt = askedSince(call, answeredAt);
  call.epoch = 0;
}

/** What a call answered that took effect unheard. */
export function recalled(answer: Buffer): Buffer | undefined {
  const from = new Unpacker(answer);
  from.array();
  return from.isNothing() ? undefined : from.bytes();
}

import type { ClaimTerms, SendingLimit } from '../types/claimTerms.ts';
import { PROBE_CANDIDATES } from '../types/claimTerms.ts';
import type { Effect } from '../types/request.ts';
import type { ChannelSenders } from '../types/store.ts';

/** Effects of requests whose repetition is harmless, whatever became of them. */
export const HARMLESS_EFFECTS: ReadonlySet<Effect> = new Set(['read', 'absolute', 'delete']);

interface ZoneTraffic {
  sending: number;
  readonly channels: Map<string, number>;
}

/** How many requests are being sent in each zone and in each channel of it: running sums over their senders. */
export class Traffic {
  readonly #zones = new Map<string, ZoneTraffic>();

  add(zone: string, channel: string, n: number): void {
    let traffic = this.#zones.get(zone);
    if (traffic === undefined) {
      traffic = { sending: 0, channels: new Map() };
      this.#zones.set(zone, traffic);
    }
    traffic.sending += n;
    const { channels } = traffic;
    const inChannel = (channels.get(channel) ?? 0) + n;
    if (inChannel !== 0) channels.set(channel, inChannel);
    else channels.delete(channel);
    // Zones may be made of origins: those in which nothing is being sent are not kept.
    if (channels.size === 0) this.#zones.delete(zone);
  }

  /** In one channel of the zone, or in all of it. */
  sending(zone: string, channel: string | undefined): number {
    const traffic = this.#zones.get(zone);
    return (channel === undefined ? traffic?.sending : traffic?.channels.get(channel)) ?? 0;
  }

  clear(): void {
    this.#zones.clear();
  }
}

/** How many more requests of a channel of a zone may be sent at once; none where it is below one. No channel: by limits of the zone alone. */
export function roomWithin(
  limits: readonly SendingLimit[] | undefined,
  traffic: Traffic,
  zone: string,
  channel: string | undefined,
): number {
  let room = Number.POSITIVE_INFINITY;
  for (const limit of limits ?? []) {
    if (limit.zone !== zone || !isOf(limit, channel)) continue;
    let sending = traffic.sending(zone, limit.channel);
    for (const other of limit.with ?? []) sending += traffic.sending(zone, other);
    room = Math.min(room, limit.sending - sending);
  }
  return room;
}

function isOf(limit: SendingLimit, channel: string | undefined): boolean {
  if (limit.channel === undefined || limit.channel === channel) return true;
  return channel !== undefined && limit.with?.includes(channel) === true;
}

/** How many more requests of several places together may be sent at once. */
export function mostWithin(
  limits: readonly SendingLimit[] | undefined,
  traffic: Traffic,
  places: readonly { readonly zone: string; readonly channel: string }[],
): number {
  if (limits === undefined) return Number.POSITIVE_INFINITY;
  const zones = new Map<string, Map<string, number>>();
  for (const { zone, channel } of places) {
    const rooms = zones.get(zone) ?? new Map<string, number>();
    zones.set(zone, rooms.set(channel, wholeRoom(limits, traffic, zone, channel)));
  }
  let most = 0;
  for (const [zone, rooms] of zones) {
    let together = 0;
    for (const room of rooms.values()) together += room;
    most += Math.min(together, wholeRoom(limits, traffic, zone, undefined));
  }
  return most;
}

function wholeRoom(...asked: Parameters<typeof roomWithin>): number {
  return Math.max(0, Math.floor(roomWithin(...asked)));
}

/** A part of a channel with what may be leased of it yet. */
export interface OpenPart {
  readonly names: ChannelSenders;
  left: number;
}

/** The parts of a channel of which something may be leased; where it has none, it is one itself. */
export function openParts({ channel, senders, calls, perCall, parts }: ChannelSenders & ClaimTerms): OpenPart[] {
  const most = calls * perCall;
  if (parts === undefined) return [{ names: { channel, senders }, left: most }];
  const all = parts.map((part) => ({
    names: { channel: part.channel, senders },
    left: Math.min(part.calls * perCall, most),
  }));
  return all.filter(({ left }) => left >= 1);
}

/** Of the first {@link PROBE_CANDIDATES} and `past`, in order: those that a probe looks among, as `past` says of them. */
export function candidatesOf<T>(first: readonly T[], past: number): readonly T[] {
  const count = Math.min(first.length, PROBE_CANDIDATES);
  return Array.from({ length: count }, (_, n) => first[(past + n) % first.length] as T); // below its length
}

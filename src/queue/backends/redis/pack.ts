import type { Binding } from '../../types/binding.ts';
import type { ClaimTerms } from '../../types/claimTerms.ts';
import { PROBE_CANDIDATES } from '../../types/claimTerms.ts';
import type {
  Body,
  Carried,
  Firing,
  HeaderList,
  NewRequest,
  RankForm,
  RequestContent,
  StoredResult,
} from '../../types/request.ts';
import type { Change, ClaimQuery, EnqueueBatch, Move, RequestPatch, Settlement } from '../../types/store.ts';
import { PROMOTIONS_PER_CLAIM } from '../../types/store.ts';
import { encodeProgress, encodeResultHead, hash53, reasonCode, stateCode } from '../codec.ts';
import { shareOf } from '../flowShare.ts';
import { versionOf } from '../schedules.ts';
import { ANONYMOUS, AUTHS, BODY_KINDS, COMMON_HEADERS, EFFECTS, METHODS } from './common.ts';
import { DURABLE, EPHEMERAL, FROM_PROCESS, HARMLESS, HAS_KEY, ON_FAILURE } from './flags.ts';
import { digestBytes, hashBytes, idBytes } from './hex.ts';
import type { Packable, Packer } from './msgpack.ts';

/** Stands for `Infinity` as a limit, which no command takes. */
export const MOST = 1e9;

const JOIN_RULES = { none: 0, tail: 1, window: 2 } as const;
const PROCESS_SENDER = 'process:';

/** The places of a batch, each once, and the number of each request's. */
class Places {
  readonly list: [zone: string, channel: string, sender: string][] = [];
  readonly #numbers = new Map<string, number>();

  number({ zone, channel, sender }: NewRequest): number {
    const name = `${zone}\n${channel}\n${sender}`;
    let number = this.#numbers.get(name);
    if (number === undefined) {
      number = this.list.push([zone, channel, sender]);
      this.#numbers.set(name, number);
    }
    return number;
  }
}

export function packEnqueue(batch: EnqueueBatch, packer: Packer): Packable {
  const { atomic, now, limits, claim } = batch;
  const places = new Places();
  const requests = batch.requests.map((request) => packRequest(request, places, packer));
  return [
    requests,
    atomic,
    now,
    limits.maxSize,
    limits.maxBytes,
    places.list,
    claim === null
      ? false
      : [
          claim.worker,
          claim.leaseUntil,
          claim.allowance.map(({ channel, calls, within }) =>
            within === undefined ? [channel, calls] : [channel, calls, packWithin(within)],
          ),
        ],
  ];
}

export function packClaim({ worker, leaseUntil, now, channels }: ClaimQuery): Packable {
  return [worker, leaseUntil, now, channels.map(packChannel), PROMOTIONS_PER_CLAIM];
}

function packChannel({ channel, senders, calls, perCall, ...terms }: ClaimQuery['channels'][number]): Packable {
  const asked = [channel, senders, calls * perCall];
  const { within, parts, probe, past } = terms;
  if (within === undefined && parts === undefined && probe === undefined) return asked;
  const packedParts = parts?.map((part) => [part.channel, part.calls * perCall]) ?? false;
  const packed = [
    ...asked,
    packWithin(within),
    packedParts,
    probe !== undefined && PROBE_CANDIDATES,
    probe === 'fresh',
  ];
  return past === undefined ? packed : [...packed, past];
}

function packWithin(within: ClaimTerms['within']): Packable {
  if (within === undefined || within.length === 0) return false;
  return within.map(({ zone, channel, sending, with: others }) => [zone, channel ?? false, sending, others ?? []]);
}

function packRequest(request: NewRequest, places: Places, packer: Packer): Packable {
  const { join, lane, fingerprint, after, rank, key, base, carried, replaces, fires } = request;
  const flags =
    (request.ephemeral ? EPHEMERAL : 0) |
    (request.harmless ? HARMLESS : 0) |
    (request.durable ? DURABLE : 0) |
    (key === null ? 0 : HAS_KEY) |
    (request.sender.startsWith(PROCESS_SENDER) ? FROM_PROCESS : 0) |
    (request.onFailure === undefined ? 0 : ON_FAILURE[request.onFailure]);
  return [
    idBytes(request.id),
    places.number(request),
    flags,
    packRank(rank),
    request.notBefore ?? false,
    request.expiresAt ?? false,
    request.priority,
    request.acceptedAt,
    request.bytes,
    lane === null ? false : laneBytes(lane),
    JOIN_RULES[join.rule],
    join.rule === 'window' ? join.since : 0,
    key ?? false,
    fingerprint === null ? false : hashBytes(fingerprint),
    after.length === 0 ? false : after.map(idBytes),
    base === null ? false : JSON.stringify(base),
    Buffer.concat([packFixed(request, packer), packContent(request.content, packer)]),
    carried === undefined ? false : packCarried(carried, packer),
    replaces === undefined
      ? false
      : [idBytes(replaces.id), request.id, replaces.result === undefined ? false : packResult(replaces.result, packer)],
    fires === undefined ? false : packFiring(fires),
  ];
}

function packFiring(firing: Firing): Packable {
  return [firing.name, versionOf(firing), firing.dueAt ?? false, JSON.stringify(firing.data)];
}

function packRank(rank: RankForm): Packable {
  if (rank.form === 'flow') return [rank.group, rank.flow, shareOf(rank.weight)];
  return rank.form === 'value' ? rank.value : false;
}

function packCarried(carried: Carried, packer: Packer): Packable {
  const { progress, result } = carried;
  return [
    carried.isHeld,
    reasonCode(carried.reason),
    carried.dueAt ?? false,
    carried.token,
    carried.firstSentAt ?? false,
    encodeProgress(progress) ?? false,
    progress.unresolved,
    carried.callers,
    result === null ? false : packResult(result, packer),
    carried.told,
  ];
}

/** A lane as indexes name it. Two lanes of one hash only wait for each other. */
export function laneBytes(lane: string): Buffer {
  const bytes = Buffer.allocUnsafe(8);
  bytes.writeBigUInt64BE(BigInt(hash53(lane)));
  return bytes;
}

/** What of a request never changes and no index needs. `unpack.ts` reads it by position; nothing at the end is left out. */
function packFixed(request: NewRequest, packer: Packer): Buffer {
  const { digest, principal } = request;
  const fields: Packable[] = [
    request.lane ?? false,
    principal === ANONYMOUS ? false : principal,
    request.key ?? false,
    digest === null ? false : digestBytes(digest),
    EFFECTS.indexOf(request.effect),
    AUTHS.indexOf(request.auth),
    request.after.length === 0 ? false : request.after.map(idBytes),
    request.refs.length === 0 ? false : JSON.stringify(request.refs),
    request.client ?? false,
    request.idempotencyKey ?? false,
    request.trace ?? false,
    request.tags.length === 0 ? false : request.tags,
    request.replayOf ?? false,
    request.intent === undefined ? false : JSON.stringify(request.intent),
  ];
  while (fields.at(-1) === false) fields.pop();
  return packer.pack(fields);
}

/** What goes on the wire: its head, then the bytes of the body. */
export function packContent({ method, path, headers, body, fetch }: RequestContent, packer: Packer): Buffer {
  const fields: Packable[] = [commonOr(METHODS, method), path, bodyKind(body), packHeaders(headers)];
  if (fetch !== undefined) fields.push(JSON.stringify(fetch));
  const head = packer.pack(fields);
  return body === null ? head : Buffer.concat([head, typeof body === 'string' ? Buffer.from(body, 'utf8') : body]);
}

/** The number of what is in a list, else itself. */
function commonOr(list: readonly string[], text: string): number | string {
  const number = list.indexOf(text);
  return number === -1 ? text : number;
}

function packHeaders(headers: HeaderList): number | string {
  return headers.length === 0 ? 0 : commonOr(COMMON_HEADERS, JSON.stringify(headers));
}

function bodyKind(body: Body): number {
  if (body === null) return BODY_KINDS.none;
  return typeof body === 'string' ? BODY_KINDS.text : BODY_KINDS.bytes;
}

export function packSettlement(settlement: Settlement, packer: Packer): Packable {
  const { next, progress, told, result, patch, bind, end, amend } = settlement;
  const hasEffects = bind !== undefined || end !== undefined || amend !== undefined;
  return [
    idBytes(settlement.id),
    settlement.token,
    stateCode(next.state),
    reasonCode(next.reason),
    next.dueAt ?? false,
    encodeProgress(progress) ?? false,
    progress.unresolved,
    settlement.notSent === true,
    told === undefined ? 0 : told ? 1 : 2,
    result === undefined ? false : packResult(result, packer),
    hasEffects && [
      packBindings(bind),
      (end ?? []).map(({ id, state, reason }) => [idBytes(id), stateCode(state), reasonCode(reason)]),
      (amend ?? []).map((change) => packChange(change, packer)),
    ],
    patch === undefined ? false : packPatch(patch, packer),
  ];
}

/** What is read again stands as JSON: in Lua a number and its text would be the same. */
function packBindings(bindings: readonly Binding[] | undefined): Packable {
  if (bindings === undefined || bindings.length === 0) return false;
  return bindings.map(({ alias, ...binding }) => [
    binding.localId,
    JSON.stringify(binding),
    binding.boundAt,
    idBytes(binding.requestId),
    alias === undefined ? false : [laneBytes(alias.local), alias.local, laneBytes(alias.server)],
  ]);
}

/** The text that is kept behind the row, and the bytes of the body that retention counts. */
function packResult(result: StoredResult, packer: Packer): Packable {
  const { status, body } = result;
  const head = packer.pack([status, encodeResultHead(result), body !== null]);
  return [body === null ? head : Buffer.concat([head, body]), body?.byteLength ?? 0];
}

export function packChange(
  { id, from, neverSent, callers, reason, to, patch, bind }: Change,
  packer: Packer,
): Packable {
  return [
    idBytes(id),
    from.reduce((bits, state) => bits | (1 << stateCode(state)), 0),
    neverSent === true,
    callers ?? false,
    to === undefined ? false : packMove(to),
    patch === undefined ? false : packPatch(patch, packer),
    reason === undefined ? false : reasonCode(reason),
    packBindings(bind),
  ];
}

function packMove({ state, reason, dueAt }: Move): Packable {
  return [stateCode(state), reasonCode(reason), dueAt ?? false];
}

function packPatch(patch: RequestPatch, packer: Packer): Packable {
  const { progress, expiresAt } = patch;
  return {
    ...(patch.priority !== undefined && { priority: patch.priority }),
    ...(patch.rank !== undefined && { rank: packRank(patch.rank) }),
    ...(patch.raise !== undefined && { raise: packRank(patch.raise) }),
    ...(expiresAt !== undefined && { expires: expiresAt ?? false }),
    ...(patch.sender !== undefined && { sender: patch.sender }),
    ...(patch.base !== undefined && { base: JSON.stringify(patch.base) }),
    ...(patch.content !== undefined && { content: packContent(patch.content, packer) }),
    ...(progress !== undefined && { progress: [encodeProgress(progress) ?? false, progress.unresolved] }),
    ...(patch.told !== undefined && { told: patch.told }),
    ...(patch.replayedAs !== undefined && { replayedAs: patch.replayedAs }),
    ...(patch.callers !== undefined && { callers: patch.callers }),
    ...(patch.result !== undefined && { result: packResult(patch.result, packer) }),
  };
}

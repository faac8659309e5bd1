import type { Carried, Firing, NewRequest, Replacement, StoredResult } from '../../types/request.ts';
import type { Change, EnqueueBatch, RequestPatch, Settlement } from '../../types/store.ts';
import {
  encodeHeaders,
  encodeProgress,
  encodeResultHead,
  hash53,
  headOf,
  ownBody,
  reasonCode,
  stateCode,
} from '../codec.ts';
import { versionOf } from '../schedules.ts';
import { DURABLE, EPHEMERAL, HARMLESS, HAS_RESULT, onFailureBits, TOLD, UNRESOLVED } from './flags.ts';
import type {
  PackedCarried,
  PackedChange,
  PackedEffects,
  PackedEnqueue,
  PackedFiring,
  PackedNew,
  PackedPatch,
  PackedReplacement,
  PackedRequest,
  PackedResult,
  PackedSettlement,
  PackedWithin,
} from './protocol.ts';
import { JOIN_NONE, JOIN_TAIL, JOIN_WINDOW } from './protocol.ts';

export function packEnqueue({ requests, atomic, now, limits, claim }: EnqueueBatch): PackedEnqueue {
  const allowance = claim === null ? null : claim.allowance.flatMap(({ channel, calls }) => [channel, calls]);
  const within = (claim?.allowance ?? []).flatMap(({ channel, within }): PackedWithin[] =>
    within === undefined ? [] : [[channel, within]],
  );
  return [
    now,
    atomic,
    limits.maxSize,
    limits.maxBytes,
    claim?.worker ?? null,
    claim?.leaseUntil ?? 0,
    allowance,
    requests.map(packRequest),
    ...(within.length === 0 ? ([] as const) : ([within] as const)),
  ];
}

export function packRequest(request: NewRequest): PackedRequest {
  const { carried, replaces, fires } = request;
  if ((carried ?? replaces ?? fires) === undefined) return packNew(request);
  return [
    ...packNew(request),
    carried && packCarried(carried),
    replaces && packReplacement(replaces),
    fires && packFiring(fires),
  ];
}

function packFiring(firing: Firing): PackedFiring {
  const { name, dueAt, data } = firing;
  return { name, version: versionOf(firing), due: dueAt, data: JSON.stringify(data) };
}

function packReplacement({ id, result }: Replacement): PackedReplacement {
  return { id, result: result === undefined ? null : packResult(result) };
}

function packNew(request: NewRequest): PackedNew {
  const { join, lane, fingerprint, after, rank } = request;
  return [
    request.id,
    request.zone,
    request.channel,
    request.sender,
    (request.ephemeral ? EPHEMERAL : 0) |
      (request.harmless ? HARMLESS : 0) |
      (request.durable ? DURABLE : 0) |
      (request.onFailure === undefined ? 0 : onFailureBits(request.onFailure)),
    lane,
    lane === null ? null : hash53(lane),
    after.length === 0 ? null : after,
    request.principal,
    request.key,
    fingerprint === null ? null : hash53(fingerprint),
    request.digest,
    join.rule === 'none' ? JOIN_NONE : join.rule === 'tail' ? JOIN_TAIL : JOIN_WINDOW,
    join.rule === 'window' ? join.since : 0,
    request.priority,
    rank.form === 'value' ? rank.value : null,
    request.notBefore,
    request.expiresAt,
    request.acceptedAt,
    request.bytes,
    headOf(request),
    ownBody(request.content.body),
  ];
}

function packCarried(carried: Carried): PackedCarried {
  const { isHeld, reason, dueAt, token, firstSentAt, progress, callers, result, told } = carried;
  return {
    isHeld,
    reason: reasonCode(reason),
    due: dueAt,
    token,
    firstSent: firstSentAt,
    progress: encodeProgress(progress),
    flags: (told ? TOLD : 0) | (progress.unresolved ? UNRESOLVED : 0) | (result === null ? 0 : HAS_RESULT),
    callers,
    result: result === null ? null : packResult(result),
  };
}

export function packSettlement(settlement: Settlement): PackedSettlement {
  const { next, result } = settlement;
  return [
    settlement.id,
    settlement.token,
    stateCode(next.state),
    reasonCode(next.reason),
    next.dueAt ?? null,
    encodeProgress(settlement.progress),
    settlement.progress.unresolved,
    settlement.notSent === true,
    settlement.told ?? null,
    result === undefined ? null : packResult(result),
    packEffects(settlement),
  ];
}

function packEffects({ patch, bind, end, amend }: Settlement): PackedEffects | null {
  if (patch === undefined && bind === undefined && end === undefined && amend === undefined) return null;
  return {
    patch: patch === undefined ? null : packPatch({ content: patch.content, base: patch.base }),
    bind: bind ?? [],
    end: (end ?? []).map(({ id, state, reason }) => [id, stateCode(state), reasonCode(reason)]),
    amend: (amend ?? []).map(packChange),
  };
}

function packResult(result: StoredResult): PackedResult {
  const owned = ownBody(result.body);
  return [result.status, encodeResultHead(result), typeof owned === 'string' ? null : owned];
}

export function packChange({ id, from, neverSent, callers, reason, to, patch, bind }: Change): PackedChange {
  return {
    id,
    from: from.reduce((bits, state) => bits | (1 << stateCode(state)), 0),
    neverSent: neverSent === true,
    callers: callers ?? null,
    ...(reason !== undefined && { reason: reasonCode(reason) }),
    to: to === undefined ? null : [stateCode(to.state), reasonCode(to.reason), to.dueAt ?? null],
    patch: patch === undefined ? null : packPatch(patch),
    ...(bind !== undefined && { bind }),
  };
}

function packPatch(patch: RequestPatch): PackedPatch {
  const { content, progress, result } = patch;
  return {
    ...(patch.priority !== undefined && { priority: patch.priority }),
    ...(patch.rank !== undefined && { rank: patch.rank }),
    ...(patch.expiresAt !== undefined && { expires: patch.expiresAt }),
    ...(patch.sender !== undefined && { sender: patch.sender }),
    ...(patch.base !== undefined && { base: JSON.stringify(patch.base) }),
    ...(content !== undefined && {
      content: {
        method: content.method,
        path: content.path,
        headers: encodeHeaders(content.headers),
        fetch: content.fetch,
      },
      body: ownBody(content.body),
    }),
    ...(progress !== undefined && { progress: [encodeProgress(progress), progress.unresolved] as const }),
    ...(patch.told !== undefined && { told: patch.told }),
    ...(patch.replayedAs !== undefined && { replayedAs: patch.replayedAs }),
    ...(patch.callers !== undefined && { callers: patch.callers }),
    ...(result !== undefined && { result: packResult(result) }),
  };
}

import type { NewRequest, StoredRequest } from '../types/request.ts';
import { NO_PROGRESS } from '../types/request.ts';

/** What sending and settling a request needs of its record: a claimed one is a whole record, one claimed at acceptance is not. */
export type SentRequest = Pick<
  StoredRequest,
  | 'id'
  | 'zone'
  | 'content'
  | 'effect'
  | 'lane'
  | 'priority'
  | 'key'
  | 'principal'
  | 'auth'
  | 'client'
  | 'idempotencyKey'
  | 'durable'
  | 'acceptedAt'
  | 'expiresAt'
  | 'firstSentAt'
  | 'progress'
  | 'refs'
  | 'base'
  | 'intent'
  | 'replayOf'
>;

/** The part of a record that is known of a request claimed in the commit that accepted it. */
export function sentAtAcceptance(request: NewRequest, now: number): SentRequest {
  return {
    id: request.id,
    zone: request.zone,
    content: request.content,
    effect: request.effect,
    lane: request.lane,
    priority: request.priority,
    key: request.key,
    principal: request.principal,
    auth: request.auth,
    client: request.client,
    idempotencyKey: request.idempotencyKey,
    durable: request.durable,
    acceptedAt: request.acceptedAt,
    expiresAt: request.expiresAt,
    firstSentAt: now,
    progress: NO_PROGRESS,
    refs: request.refs,
    base: request.base,
    intent: request.intent,
    replayOf: request.replayOf,
  };
}

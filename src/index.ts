export { ApiClient } from './client/ApiClient.ts';
export { apiKey } from './client/auth/apiKey.ts';
export { basicAuth } from './client/auth/basicAuth.ts';
export { bearerToken } from './client/auth/bearerToken.ts';
export { refreshingToken } from './client/auth/refreshingToken.ts';
export type { TokenSource } from './client/auth/tokenSource.ts';
export { atomicOperations } from './client/batch/atomicOperations.ts';
export type { AtomicOperationsOptions } from './client/batch/atomicOptions.ts';
export type { BatchOptions } from './client/batch/batchOptions.ts';
export { bulkArray } from './client/batch/bulkArray.ts';
export type * from './client/batch/bulkArrayOptions.ts';
export { type GraphBatchOptions, graphBatch } from './client/batch/graphBatch.ts';
export { type GraphqlBatchOptions, graphqlBatch } from './client/batch/graphqlBatch.ts';
export { idBatch } from './client/batch/idBatch.ts';
export type { IdBatchOptions, IdQuery } from './client/batch/idBatchOptions.ts';
export { type NdjsonBulkOptions, ndjsonBulk } from './client/batch/ndjsonBulk.ts';
export { Call, type WithResponse } from './client/Call.ts';
export type { ApiClientOptions, CallOptions } from './client/clientOptions.ts';
export type { Resource, ResourceCallOptions, ResourceId } from './client/Resource.ts';
export type { ResourceOptions } from './client/resourceOptions.ts';
export { createUndiciTransport, type UndiciTransportOptions } from './client/transport/UndiciTransport.ts';
export { closeOnSignals } from './closeOnSignals.ts';
export {
  ERROR_CODES,
  type ErrorCode,
  type ErrorDetails,
  HoldfastError,
  holdfastError,
  type Problem,
} from './errors.ts';
export { type QuickOptions, QuickSetup } from './QuickSetup.ts';
export type { BulkFailure, BulkOptions, BulkOutcome, BulkProgress, BulkResult } from './queue/core/bulk.ts';
export type { RequestItem } from './queue/core/calls.ts';
export type * from './queue/core/config/gateOptions.ts';
export type * from './queue/core/config/options.ts';
export {
  createDefaultConfiguration,
  createDevelopmentConfiguration,
  createProductionConfiguration,
  createTestConfiguration,
} from './queue/core/config/presets.ts';
export { validateConfiguration } from './queue/core/config/resolve.ts';
export type { ConflictRecord } from './queue/core/conflictLog.ts';
export type { DeadLetters, ListOptions, Page } from './queue/core/deadLetters.ts';
export type { Explanation, Guarantee, WaitsFor } from './queue/core/explain.ts';
export type { QueueDispatcher } from './queue/core/frontFetch.ts';
export type { BatchState, GatesState, GatesUpdate, ZoneDesk, ZoneState } from './queue/core/gates/ZoneDesk.ts';
export { QueuedRequest } from './queue/core/handles/QueuedRequest.ts';
export type { Schema } from './queue/core/handles/schema.ts';
export type { Held, HeldDecision } from './queue/core/held.ts';
export type { DeadLetterFilter, StatusClass } from './queue/core/letterFilter.ts';
export type { DeadLetterGroup, DeadLetterGroups, GroupOptions } from './queue/core/letterGroups.ts';
export type { DeadLetterStats } from './queue/core/letterStats.ts';
export { abandonMigration } from './queue/core/migration/abandonMigration.ts';
export type { MigrationEnd } from './queue/core/migration/ends.ts';
export type { MigrateOptions } from './queue/core/migration/migrateOptions.ts';
export { migrateQueue } from './queue/core/migration/migrateQueue.ts';
export type * from './queue/core/migration/result.ts';
export type { Outlook } from './queue/core/outlook.ts';
export type { LeaveOptions, LeavePolicy, Left, PrincipalSummary, Principals } from './queue/core/principals.ts';
export { byNaturalKey, type NaturalKeyOptions } from './queue/core/probeKits/byNaturalKey.ts';
export { byStamp, type StampOptions, stampOf } from './queue/core/probeKits/byStamp.ts';
export { byVersion, type VersionOptions } from './queue/core/probeKits/byVersion.ts';
export { byWindow, type WindowOptions } from './queue/core/probeKits/byWindow.ts';
export type { ListOptions as ProbeListOptions } from './queue/core/probeKits/lookup.ts';
export { byResource } from './queue/core/probes.ts';
export { QueueManager } from './queue/core/QueueManager.ts';
export type { BoundQueue, QueueParts } from './queue/core/queueParts.ts';
export type { PlannedRequest, PlanOptions, ReplayPlan } from './queue/core/replayPlan.ts';
export type { Counts, QueueHealth, ZoneHealth } from './queue/core/report.ts';
export type { StrategyOptions } from './queue/core/reranking.ts';
export type { ResourceQueue, ResourceRules } from './queue/core/resources.ts';
export type * from './queue/core/schedules/options.ts';
export type { Schedules } from './queue/core/schedules/Schedules.ts';
export type { SettledHandler, SubscribeOptions } from './queue/core/subscriptions.ts';
export type { QueueStats } from './queue/monitoring/Counters.ts';
export type { BreakerReason, BreakerStatus } from './queue/strategies/breaker/change.ts';
export type { BreakerPolicy } from './queue/strategies/breaker/policy.ts';
export {
  type SimulatedOpening,
  type Simulation,
  type SimulationOptions,
  simulate,
  type TraceCall,
} from './queue/strategies/breaker/simulate.ts';
export type {
  Conflict,
  ConflictRules,
  ConflictStrategy,
  Equals,
  FieldConflict,
  FieldResolver,
  MergeOptions,
  Resolution,
} from './queue/strategies/conflict.ts';
export type { MissedPolicy } from './queue/strategies/schedule/plan.ts';
export type { Signature } from './queue/strategies/signature.ts';
export type * from './queue/types/auth.ts';
export type * from './queue/types/backend.ts';
export type * from './queue/types/batch.ts';
export type * from './queue/types/binding.ts';
export type * from './queue/types/calls.ts';
export type * from './queue/types/events.ts';
export type {
  FetchMode,
  FetchOptions,
  FetchSettings,
  Offline,
  QueuedFetch,
  QueuedRequestInit,
  Respond,
} from './queue/types/fetch.ts';
export type * from './queue/types/housekeeping.ts';
export type { Logger } from './queue/types/logger.ts';
export type * from './queue/types/moved.ts';
export type * from './queue/types/request.ts';
export type * from './queue/types/scheduling.ts';
export type { Reason, RequestState, TerminalState, WaitingState } from './queue/types/states.ts';
export type * from './queue/types/store.ts';
export type * from './queue/types/transport.ts';
export type { Clock, Timer } from './system/clock.ts';
export type { Gauges } from './system/gauges.ts';
export type { Random } from './system/random.ts';

export { type BackendHooks, hookBackend, type StoreVerb } from './backendHooks.ts';
export { createTestQueue, TEST_ORIGIN, TestQueue, type TestQueueOptions } from './createTestQueue.ts';
export { FakeClock, type FakeClockOptions } from './FakeClock.ts';
export { FakeNetwork, type FakeNetworkOptions } from './FakeNetwork.ts';
export {
  badCertificate,
  connectTimeout,
  FakeServer,
  type FakeServerOptions,
  type NetworkFault,
  type NetworkStep,
  notFound,
  refused,
  unreachable,
} from './FakeServer.ts';
export {
  FAULT_POINTS,
  type FaultListener,
  type FaultOptions,
  type FaultParts,
  type FaultPoint,
  withFaultPoints,
} from './faultPoints.ts';
export { ScriptedServer, type ScriptedServerOptions } from './ScriptedServer.ts';
export { type LedgerEntry, type LedgerOutcome, ServerLedger, type ServerLedgerOptions } from './ServerLedger.ts';
export { ServerScript } from './ServerScript.ts';
export { seededRandom } from './seededRandom.ts';
export {
  answer,
  applyThenHang,
  applyThenReset,
  hang,
  park,
  partialBody,
  partialHead,
  type ReceivedRequest,
  refuse,
  resetBeforeApply,
  type ServerAnswer,
  type ServerStep,
  slow,
  unavailable,
} from './serverSteps.ts';

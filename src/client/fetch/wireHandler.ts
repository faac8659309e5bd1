import type { HeaderList } from '../../queue/types/request.ts';
import { headerListOf } from '../transport/rawHeaders.ts';

/** Status line and headers of an answer, as a connection reports them. */
export interface WireHead {
  readonly status: number;
  readonly statusText: string;
  /** Lower-case names, in the order received. */
  readonly headers: HeaderList;
  /** The same as the connection gave it, for a handler of the same kind. */
  readonly raw?: unknown;
}

/** What happens to one call on the wire, in this order. */
export interface WireListener {
  /** A connection was given to it and its first byte is written right after this. */
  started(abort: (reason: Error) => void): void;
  /** The final status; interim ones are not told. False pauses until `resume`. */
  headed(head: WireHead, resume: () => void): boolean;
  /** False pauses until `resume`. */
  received(chunk: Buffer): boolean;
  completed(): void;
  /** At most once, and last. */
  failed(error: Error): void;
}

/** Whom the platform's fetch, or another client, wants told. */
export interface WireSink {
  start(abort: (reason: Error) => void): void;
  head(head: WireHead, resume: () => void, more?: HeaderList): boolean;
  data(chunk: Uint8Array): boolean;
  complete(): void;
  fail(error: Error): void;
}

/** What is left of a listener once a status has come. */
export type BodyListener = Pick<WireListener, 'received' | 'completed' | 'failed'>;

/** Everything behind the head to the sink as it comes. */
export function passing(sink: WireSink): BodyListener {
  return {
    received: (chunk) => sink.data(chunk),
    completed: () => sink.complete(),
    failed: (error) => sink.fail(error),
  };
}

/** Handlers of undici up to 7, whose fetch Node 18 to 24 have. */
export interface CallbackHandler {
  onConnect?(abort: (reason?: Error) => void): void;
  onResponseStarted?(): void;
  onHeaders?(status: number, headers: Buffer[], resume: () => void, statusText: string): boolean | undefined;
  onData?(chunk: Uint8Array): boolean | undefined;
  onComplete?(trailers: Buffer[]): void;
  onError?(error: Error): void;
  onUpgrade?(...parts: unknown[]): void;
}

/** Handlers of undici from 7 on. */
export interface ControllerHandler {
  onRequestStart(controller: WireController, context: object): void;
  onResponseStart?(
    controller: WireController,
    status: number,
    headers: Record<string, string | string[]>,
    statusText?: string,
  ): void;
  onResponseData?(controller: WireController, chunk: Uint8Array): void;
  onResponseEnd?(controller: WireController, trailers: object): void;
  onResponseError?(controller: WireController, error: Error): void;
}

export type WireHandler = CallbackHandler | ControllerHandler;

/** By which a handler steers its call. */
export interface WireController {
  readonly paused: boolean;
  readonly aborted: boolean;
  readonly reason: Error | null;
  /** Alternating names and values: what the fetch of undici 8 reads instead of the record it is given. */
  readonly rawHeaders?: unknown;
  pause(): void;
  resume(): void;
  abort(reason: Error): void;
}

function isControlled(handler: WireHandler): handler is ControllerHandler {
  return 'onRequestStart' in handler && typeof handler.onRequestStart === 'function';
}

/** A handler of the same kind as `model`, whose events go to the listener. */
export function listening(model: WireHandler, listener: WireListener): WireHandler {
  return isControlled(model) ? controllerListener(listener) : callbackListener(model, listener);
}

function callbackListener(model: CallbackHandler, listener: WireListener): CallbackHandler {
  return {
    onConnect: (abort) => listener.started(abort),
    onResponseStarted: () => model.onResponseStarted?.(),
    onHeaders: (status, raw, resume, statusText) =>
      status < 200 || listener.headed({ status, statusText, headers: headerListOf(raw), raw }, resume),
    onData: (chunk) => listener.received(chunk as Buffer), // always one
    onComplete: () => listener.completed(),
    onError: (error) => listener.failed(error),
    onUpgrade: (...parts) => model.onUpgrade?.(...parts),
  };
}

function controllerListener(listener: WireListener): ControllerHandler {
  return {
    onRequestStart: (controller) => listener.started((reason) => controller.abort(reason)),
    onResponseStart(controller, status, raw, statusText = '') {
      if (status < 200) return;
      const { rawHeaders } = controller;
      const headers = isRaw(rawHeaders) ? headerListOf(rawHeaders) : listOfRecord(raw);
      const head = { status, statusText, headers, raw: rawHeaders };
      if (!listener.headed(head, () => controller.resume())) controller.pause();
    },
    onResponseData(controller, chunk) {
      if (!listener.received(chunk as Buffer)) controller.pause();
    },
    onResponseEnd: () => listener.completed(),
    onResponseError: (_, error) => listener.failed(error),
  };
}

/** One way to tell either kind of handler. */
export function sinkOf(handler: WireHandler): WireSink {
  return isControlled(handler) ? new ControllerSink(handler) : callbackSink(handler);
}

function callbackSink(handler: CallbackHandler): WireSink {
  return {
    start: (abort) => handler.onConnect?.((reason) => abort(reason ?? new Error('the call was aborted'))),
    head(head, resume, more) {
      return handler.onHeaders?.(head.status, rawOf(head, more), resume, head.statusText) !== false;
    },
    data: (chunk) => handler.onData?.(chunk) !== false,
    complete: () => handler.onComplete?.([]),
    fail: (error) => handler.onError?.(error),
  };
}

/** As its sink sees it: what the handler only reads is written here. */
type Steering = { -readonly [K in keyof WireController]: WireController[K] } & {
  resumed: () => void;
  stop: (reason: Error) => void;
};

class ControllerSink implements WireSink {
  readonly #handler: ControllerHandler;
  readonly #controller: Steering;

  constructor(handler: ControllerHandler) {
    this.#handler = handler;
    this.#controller = {
      paused: false,
      aborted: false,
      reason: null,
      resumed: () => undefined,
      stop: () => undefined,
      pause() {
        this.paused = true;
      },
      resume() {
        this.paused = false;
        this.resumed();
      },
      abort(reason) {
        if (this.aborted) return;
        this.aborted = true;
        this.reason = reason;
        this.stop(reason);
      },
    };
  }

  start(abort: (reason: Error) => void): void {
    this.#controller.stop = abort;
    this.#handler.onRequestStart(this.#controller, {});
  }

  head(head: WireHead, resume: () => void, more?: HeaderList): boolean {
    this.#controller.resumed = resume;
    this.#controller.rawHeaders = rawOf(head, more);
    const headers = { ...recordOf(head.headers), ...recordOf(more ?? []) };
    this.#handler.onResponseStart?.(this.#controller, head.status, headers, head.statusText);
    return !this.#controller.paused;
  }

  data(chunk: Uint8Array): boolean {
    this.#handler.onResponseData?.(this.#controller, chunk);
    return !this.#controller.paused;
  }

  complete(): void {
    this.#handler.onResponseEnd?.(this.#controller, {});
  }

  fail(error: Error): void {
    this.#handler.onResponseError?.(this.#controller, error);
  }
}

function isRaw(given: unknown): given is Buffer[] {
  return Array.isArray(given) && Buffer.isBuffer(given[0]);
}

/** As it came from the wire, names in the case that they had. */
function rawOf({ raw, headers }: WireHead, more: HeaderList | undefined): Buffer[] {
  const given = isRaw(raw) ? raw : buffersOf(headers);
  if (more === undefined) return given;
  const isReplaced = (name: Buffer): boolean => more.some(([other]) => other === name.toString('latin1').toLowerCase());
  const kept = given.filter((_, at) => !isReplaced(given[at - (at % 2)] as Buffer)); // names stand at even places
  return [...kept, ...buffersOf(more)];
}

function listOfRecord(raw: Record<string, string | string[]>): HeaderList {
  return Object.entries(raw).flatMap(([name, value]) =>
    [value].flat().map((one): [string, string] => [name.toLowerCase(), one]),
  );
}

function buffersOf(headers: HeaderList): Buffer[] {
  return headers.flatMap(([name, value]) => [Buffer.from(name, 'latin1'), Buffer.from(value, 'latin1')]);
}

function recordOf(headers: HeaderList): Record<string, string | string[]> {
  const record: Record<string, string | string[]> = {};
  for (const [name, value] of headers) {
    const present = record[name];
    record[name] = present === undefined ? value : [present, value].flat();
  }
  return record;
}

/** A store that processes share, as a configuration names it. */
export type SharedBackend =
  | { readonly kind: 'sqlite'; readonly path: string }
  | { readonly kind: 'redis'; readonly host: string; readonly port: number }
  | { readonly kind: 'redis'; readonly cluster: readonly { readonly host: string; readonly port: number }[] };

/** How a process opens the queue that all share. JSON on its command line. */
export interface QueueOrder {
  /** Folder of the compiled package. */
  readonly dist: string;
  readonly name: string;
  readonly backend: SharedBackend;
  readonly origin: string;
  readonly leaseMs: number;
  /** How far its wall and monotonic clocks are from ours, as on another machine. */
  readonly clockOffsetMs: number;
}

/** What a producer is told to do besides. */
export interface ProducerOrder extends QueueOrder {
  /** Names the lanes that only it uses. */
  readonly producer: string;
  /** Its intents are numbered upwards from here, in the order of its calls. */
  readonly firstIntent: number;
  /** It ends once so many were accepted and the callers that wait were answered. */
  readonly requests: number;
  /** Callers at once. */
  readonly callers: number;
  /** A caller waits for the result of every so many of its requests before it goes on. */
  readonly awaitEvery: number;
  /** Of each kind: its own, and shared ones by name and by path. */
  readonly lanes: number;
}

/** What a request carries in its body: by this the server's log is read. */
export interface Intent {
  readonly intent: number;
  /** Lane it belongs to, as its producer means it; null: none. */
  readonly lane: string | null;
  /** Epoch ms of the first call. */
  readonly at: number;
}

/** Those who follow a signal, by signal: it is listened to once, however many there are. */
const followers = new WeakMap<AbortSignal, Set<WeakRef<AbortController>>>();
/** Who follows lives as long as the response it is for. */
const lifelines = new WeakMap<object, AbortController>();

/** Signals may live as long as the process: who followed one for a response that is gone is taken off. */
const gone = new FinalizationRegistry<{
  readonly all: Set<WeakRef<AbortController>>;
  readonly one: WeakRef<AbortController>;
}>(({ all, one }) => all.delete(one));

/** Aborts `controller` with the signal's reason, as long as somebody has `response` or its body. */
export function follow(signal: AbortSignal, controller: AbortController, response: Response): void {
  if (signal.aborted) {
    controller.abort(signal.reason);
    return;
  }
  lifelines.set(response.body ?? response, controller);
  let all = followers.get(signal);
  if (all === undefined) {
    const made = new Set<WeakRef<AbortController>>();
    const stop = (): void => {
      for (const one of made) one.deref()?.abort(signal.reason);
    };
    signal.addEventListener('abort', stop, { once: true });
    followers.set(signal, made);
    all = made;
  }
  const one = new WeakRef(controller);
  all.add(one);
  gone.register(controller, { all, one });
}

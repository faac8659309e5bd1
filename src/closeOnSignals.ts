/** What can be closed. */
interface Closable {
  close(): Promise<void>;
}

/**
 * Closes the queue on SIGTERM or SIGINT, then lets the process end by that signal, as it would have without us. Returns its undo.
 */
export function closeOnSignals(
  queue: Closable,
  signals: readonly NodeJS.Signals[] = ['SIGTERM', 'SIGINT'],
): () => void {
  const undo = (): void => {
    for (const signal of signals) process.removeListener(signal, onSignal);
  };
  const onSignal = (signal: NodeJS.Signals): void => {
    // The second signal finds no listener of ours: whoever insists is not kept waiting.
    undo();
    void queue.close().finally(() => process.kill(process.pid, signal));
  };
  for (const signal of signals) process.once(signal, onSignal);
  return undo;
}

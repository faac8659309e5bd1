import type { Logger } from '../types/logger.ts';
import { silentLogger } from '../types/logger.ts';

type Level = keyof Logger;

/**
 * The logger of an application, as the engine uses it: one that throws, or whose promise rejects, loses its message and
 * nothing else. There is nowhere left to report that to.
 */
export function guardLogger(logger: Logger): Logger {
  if (logger === silentLogger) return logger;
  const guarded =
    (level: Level): Logger[Level] =>
    (message, fields) => {
      try {
        const returned: unknown = logger[level](message, fields);
        if (returned instanceof Promise) returned.catch(() => undefined);
      } catch {
        // See above: a log that fails must not fail what is logged.
      }
    };
  return Object.freeze({
    debug: guarded('debug'),
    info: guarded('info'),
    warn: guarded('warn'),
    error: guarded('error'),
  });
}

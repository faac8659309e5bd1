import type { Consequences } from './consequences.ts';
import type { Preparation } from './preparation.ts';
import type { Resources } from './resources.ts';

/** What serves requests of which something was declared beside what goes on the wire. */
export interface Declared {
  readonly resources: Resources;
  readonly preparation: Preparation;
  readonly consequences: Consequences;
}

import type { Callers } from './callers.ts';
import { Consequences } from './consequences.ts';
import type { Context } from './context.ts';
import { Preparation } from './preparation.ts';
import type { Reader } from './reader.ts';
import { Reconciler } from './reconciler.ts';
import type { Resources } from './resources.ts';
import { Versions } from './versions.ts';

/** What serves requests of which something was declared beside what goes on the wire. */
export interface Declared {
  readonly resources: Resources;
  readonly preparation: Preparation;
  readonly consequences: Consequences;
}

export function serveDeclared(
  context: Context,
  { resources, reader, callers }: { readonly resources: Resources; readonly reader: Reader; readonly callers: Callers },
): Declared {
  const versions = new Versions(context);
  const reconciler = new Reconciler(context, reader);
  return {
    resources,
    preparation: new Preparation(context, resources, versions, reader),
    consequences: new Consequences(context, { resources, versions, reconciler, callers }),
  };
}

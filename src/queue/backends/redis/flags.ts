/** Bits of a row's flags that the client gives or reads; the script has names for the rest. Never renumbered: they are stored. */
export const EPHEMERAL = 1;
export const HARMLESS = 2;
export const DURABLE = 4;
export const TOLD = 8;
export const HAS_KEY = 128;
export const UNRESOLVED = 256;
export const FROM_PROCESS = 1024;
/** Two bits that say together what a failure does to others; neither: nothing was said. */
export const ON_FAILURE = { continue: 2048, halt: 4096, cascade: 6144 } as const;
export const ANY_ON_FAILURE = 6144;

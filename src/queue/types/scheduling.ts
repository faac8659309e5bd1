/**
 * In which order the requests of a channel are sent:
 * - `fifo`, `lifo`: by acceptance, the oldest or the newest first
 * - `priority`: the highest first, each level worth `ageingMs` of waiting, so that nothing starves
 * - `weighted`: in turns, each flow in proportion to its weight
 * - `deadline`: the earliest first
 * - `adaptive`: in turns, more of those kinds of requests that succeed fast
 */
export type PriorityStrategy = 'fifo' | 'lifo' | 'priority' | 'weighted' | 'deadline' | 'adaptive';

/** What makes a flow of requests: those of one priority, of one tag, or of one principal. */
export type FlowSource = 'priority' | 'tag' | 'principal';

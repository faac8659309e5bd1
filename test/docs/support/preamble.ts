/** What a snippet marked `fragment` may take for granted: the names the documentation uses throughout. */
export const PREAMBLE = `
declare const queue: import('holdfast').QueueManager;
declare const api: import('holdfast').ApiClient;
declare const id: string;
declare const body: string;
declare const tokens: { current(): Promise<string> };
declare const signal: AbortSignal;
`;

/** What a snippet marked `fragment` may take for granted: the names the documentation uses throughout. */
export const PREAMBLE = `
declare global {
  const queue: import('holdfast').QueueManager;
  const api: import('holdfast').ApiClient;
  const id: string;
  const body: string;
  const tokens: { current(): Promise<string> };
  const signal: AbortSignal;
}
export {};
`;

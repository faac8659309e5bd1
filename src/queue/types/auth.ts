import type { HeaderList } from './request.ts';

/** A credential as it goes on the wire, at the moment it does. Never stored. */
export interface Credential {
  readonly headers: HeaderList;
  /** Changes whenever the credential does; a request is retried once per version after a 401. */
  readonly version: number;
  /** Whose it is, when the provider can tell; else derived from the headers. */
  readonly principal?: string | undefined;
}

/** Gives credentials at send time. Answers synchronously where it can, which keeps calls in order at no cost. */
export interface AuthProvider {
  /** The present credential. */
  credential(): Credential | Promise<Credential>;
  /**
   * The server refused the credential of `version` (401). Resolves true when a newer one can be had. Concurrent callers
   * share one refresh. Absent: a 401 is final.
   */
  refresh?(version: number): Promise<boolean>;
}

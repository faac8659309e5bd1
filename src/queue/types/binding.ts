/** What a local id stands for. The first one stays: a local id that is bound is not bound again, and makes no alias. */
export interface Binding {
  readonly localId: string;
  /** As the server wrote it: a number stays one. */
  readonly serverId: string | number;
  readonly type: string;
  readonly zone: string;
  readonly requestId: string;
  /** Epoch ms. */
  readonly boundAt: number;
  /**
   * The lanes of the entity by its local id and by its server id: as long as the first has live requests, newcomers that name
   * the second are accepted into the first (their record says so), so that one entity keeps one order. A replacement by one that
   * waits does not interrupt that. Once the first is empty the alias is gone for good. None is made where the second has live
   * requests already or is an alias itself, or where nothing but the request that binds lives in the first. Not told by `bindings`.
   */
  readonly alias?: { readonly local: string; readonly server: string } | undefined;
}

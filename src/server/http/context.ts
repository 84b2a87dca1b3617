import type { Decoder } from '../../api/decode/decode.ts';
import type { Store } from '../../store/store.ts';
import type { Clock } from '../../util/clock.ts';
import type { Logger } from '../../util/log.ts';
import type { RbacAuthorizer } from '../access/rbac.ts';
import type { ObjectApi } from '../objects/object-api.ts';
import type { PodOperations } from '../pod-operations.ts';
import type { AnyKind } from '../representation.ts';
import type { WatchStreamLimits } from '../watch-stream.ts';
import type { LongRunning } from './long-running.ts';

/** What the route handlers work with. */
export interface HttpContext {
  readonly store: Store;
  readonly decoder: Decoder;
  readonly objects: ObjectApi;
  readonly podOperations: PodOperations;
  readonly kinds: readonly AnyKind[];
  readonly authorizer: RbacAuthorizer;
  /** Of the one node there is. */
  readonly nodeName: string;
  readonly longRunning: LongRunning;
  readonly watchLimits: WatchStreamLimits;
  readonly logger: Logger;
  readonly clock: Clock;
  /** A stream into a pod ends after so long without data. */
  readonly streamIdleTimeoutMs: number;
}

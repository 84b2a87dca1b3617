import { randomUUID } from 'node:crypto';
import { nodeKind, podKind, secretKind, serviceAccountKind } from '../api/kinds.ts';
import type { KubeObject } from '../api/meta.ts';
import type { Pod } from '../api/pod.ts';
import type { Store } from '../store/store.ts';
import type { Clock } from '../util/clock.ts';
import type { RegisteredClaims, TokenSigner } from './token-signer.ts';

/** Who issues the tokens, and for whom they are unless they say otherwise: Kubernetes' name for its own API. */
export const API_AUDIENCE = 'https://kubernetes.default.svc.cluster.local';

export const MIN_EXPIRATION_SECONDS = 600;
export const MAX_EXPIRATION_SECONDS = 2 ** 32;
/** Of 100: when a token in a volume is made anew. */
const REFRESH_PERCENT = 80;
const REFRESH_MAX_MS = 24 * 3600 * 1000;

/** The object that a token ends with. */
export interface BoundObject {
  readonly kind: 'Pod' | 'Secret';
  readonly name: string;
  readonly uid: string;
}

export interface TokenWish {
  /** None: the API itself. */
  readonly audiences: readonly string[];
  readonly expirationSeconds: number;
  readonly boundTo?: BoundObject;
}

export interface IssuedToken {
  readonly token: string;
  /** Milliseconds since the epoch. */
  readonly expiresAtMs: number;
}

/** Whom a token stands for, by the names that rules know. */
export interface TokenIdentity {
  readonly user: string;
  readonly groups: readonly string[];
  readonly uid: string;
}

interface Reference {
  readonly name: string;
  readonly uid: string;
}

interface Claims extends RegisteredClaims {
  readonly jti: string;
  readonly 'kubernetes.io': {
    readonly namespace: string;
    readonly serviceaccount: Reference;
    readonly pod?: Reference;
    readonly secret?: Reference;
    readonly node?: Reference;
  };
}

export interface ServiceAccountTokensOptions {
  readonly signer: TokenSigner;
  readonly store: Pick<Store, 'get'>;
  readonly clock: Clock;
}

/** Tokens that say which service account somebody is: issued for requests and for pods' volumes, and recognised. */
export class ServiceAccountTokens {
  readonly #options: ServiceAccountTokensOptions;
  /** Tokens in pods' volumes, by what they are for; each is used until it has to be made anew. */
  readonly #ofPods = new Map<string, IssuedToken & { readonly podUid: string; readonly refreshAtMs: number }>();

  constructor(options: ServiceAccountTokensOptions) {
    this.#options = options;
  }

  /** Undefined when there is no such service account. */
  issue(namespace: string, name: string, wish: TokenWish): IssuedToken | undefined {
    const { signer, store, clock } = this.#options;
    const account = store.get(serviceAccountKind, namespace, name);
    if (!account) return undefined;
    const iat = Math.floor(clock.now() / 1000);
    const exp = iat + wish.expirationSeconds;
    const claims: Claims = {
      iss: API_AUDIENCE,
      sub: userName(namespace, name),
      aud: wish.audiences.length > 0 ? wish.audiences : [API_AUDIENCE],
      exp,
      iat,
      nbf: iat,
      jti: randomUUID(),
      'kubernetes.io': {
        namespace,
        serviceaccount: { name, uid: account.metadata.uid },
        ...this.#boundClaims(namespace, wish.boundTo),
      },
    };
    return { token: signer.sign(claims), expiresAtMs: exp * 1000 };
  }

  /** The token of a pod's volume; the same one until it is due. Undefined when its service account is missing. */
  ofPod(pod: Pod, wish: { readonly audience: string; readonly expirationSeconds: number }): string | undefined {
    const { name, namespace, uid } = pod.metadata;
    const accountName = accountOf(pod);
    const now = this.#options.clock.now();
    const account = this.#options.store.get(serviceAccountKind, namespace, accountName);
    const key = JSON.stringify([uid, account?.metadata.uid, wish.audience, wish.expirationSeconds]);
    const known = this.#ofPods.get(key);
    if (account && known && known.refreshAtMs > now) return known.token;
    const issued = this.issue(namespace, accountName, {
      audiences: wish.audience === '' ? [] : [wish.audience],
      expirationSeconds: wish.expirationSeconds,
      boundTo: { kind: 'Pod', name, uid },
    });
    for (const [old, { expiresAtMs }] of this.#ofPods) if (expiresAtMs <= now) this.#ofPods.delete(old);
    if (!issued) return undefined;
    const lifeMs = wish.expirationSeconds * 1000;
    const refreshAtMs = now + Math.min((lifeMs * REFRESH_PERCENT) / 100, REFRESH_MAX_MS);
    this.#ofPods.set(key, { ...issued, podUid: uid, refreshAtMs });
    return issued.token;
  }

  /** When the first of a pod's tokens is to be made anew, milliseconds since the epoch; undefined without any. */
  dueAtMs(podUid: string): number | undefined {
    const times = [...this.#ofPods.values()]
      .filter((token) => token.podUid === podUid)
      .map((token) => token.refreshAtMs);
    return times.length > 0 ? Math.min(...times) : undefined;
  }

  /**
   * Who a token stands for. Undefined unless this daemon has signed it for one of the audiences, it is valid now, and the
   * service account and what it is bound to still are the ones that they were.
   */
  identify(token: string, audiences: readonly string[] = [API_AUDIENCE]): TokenIdentity | undefined {
    const { signer, store, clock } = this.#options;
    const claims = signer.verify(token, clock.now()) as Claims | undefined;
    if (!claims || claims.iss !== API_AUDIENCE) return undefined;
    if (!claims.aud.some((audience) => audiences.includes(audience))) return undefined;
    const { namespace, serviceaccount, pod, secret } = claims['kubernetes.io'];
    if (!isSame(store.get(serviceAccountKind, namespace, serviceaccount.name), serviceaccount)) return undefined;
    if (pod && !isSame(store.get(podKind, namespace, pod.name), pod)) return undefined;
    if (secret && !isSame(store.get(secretKind, namespace, secret.name), secret)) return undefined;
    const groups = ['system:serviceaccounts', `system:serviceaccounts:${namespace}`, 'system:authenticated'];
    return { user: userName(namespace, serviceaccount.name), groups, uid: serviceaccount.uid };
  }

  #boundClaims(namespace: string, bound: BoundObject | undefined): Partial<Claims['kubernetes.io']> {
    if (!bound) return {};
    const reference = { name: bound.name, uid: bound.uid };
    if (bound.kind === 'Secret') return { secret: reference };
    const { store } = this.#options;
    const nodeName = store.get(podKind, namespace, bound.name)?.spec.nodeName ?? '';
    const node = store.get(nodeKind, undefined, nodeName);
    return { pod: reference, ...(node ? { node: { name: nodeName, uid: node.metadata.uid } } : {}) };
  }
}

/** Who a pod is to the API. */
export function accountOf({ spec }: Pod): string {
  return spec.serviceAccountName || 'default';
}

function userName(namespace: string, name: string): string {
  return `system:serviceaccount:${namespace}:${name}`;
}

/** Not another object of the same name. */
function isSame(object: KubeObject | undefined, { uid }: Reference): boolean {
  return object?.metadata.uid === uid;
}

import type { PullCredential } from './keyring.ts';
import type { PulledRecord, RecordedSecret } from './pull-records.ts';

/** `imagePullCredentialsVerificationPolicy` of a kubelet. */
export type VerificationPolicy =
  | 'NeverVerify'
  | 'NeverVerifyPreloadedImages'
  | 'NeverVerifyAllowlistedImages'
  | 'AlwaysVerify';

export interface VerificationSettings {
  readonly policy: VerificationPolicy;
  /** `preloadedImagesVerificationAllowlist`: repositories, or beginnings of them that end with a slash and `*`. */
  readonly allowlist: readonly string[];
}

/** Whether a pod must show a credential for an image that is there (image_pull_policies.go). PURE. */
export function mustVerify(settings: VerificationSettings, repository: string, isPulledHere: boolean): boolean {
  switch (settings.policy) {
    case 'NeverVerify':
      return false;
    case 'NeverVerifyPreloadedImages':
      return isPulledHere;
    case 'NeverVerifyAllowlistedImages':
      return !settings.allowlist.some((pattern) =>
        pattern.endsWith('/*') ? repository.startsWith(pattern.slice(0, -1)) : repository === pattern,
      );
    case 'AlwaysVerify':
      return true;
    default:
      return settings.policy satisfies never;
  }
}

/** A credential of the pod that the record knows, or not; or that no credential is needed. */
export type AccessVerdict =
  | { readonly mayUse: false }
  | {
      readonly mayUse: true;
      /** The pod's Secret, when the record knows it under another name or with another content only. */
      readonly unrecorded?: PullCredential;
    };

/**
 * Whether a pod with these credentials may use an image that was pulled here: one of them is, by its content or as the same Secret,
 * one that it was pulled with (`MustAttemptImagePull` of a kubelet). PURE.
 */
export function judgeAccess(
  record: PulledRecord | undefined,
  repository: string,
  credentials: readonly PullCredential[],
  hashOf: (credential: PullCredential) => string,
): AccessVerdict {
  const mapping = record?.credentialMapping ?? {};
  const access = Object.hasOwn(mapping, repository) ? mapping[repository] : undefined;
  if (access?.nodePodsAccessible) return { mayUse: true };
  for (const credential of credentials) {
    const hash = hashOf(credential);
    for (const secret of access?.kubernetesSecrets ?? []) {
      const isSameSecret = credential.source !== undefined && isSource(secret, credential.source);
      const isSameContent = secret.credentialHash === hash;
      if (isSameSecret && isSameContent) return { mayUse: true };
      if (isSameSecret || (isSameContent && credential.source)) return { mayUse: true, unrecorded: credential };
    }
  }
  return { mayUse: false };
}

function isSource(secret: RecordedSecret, source: NonNullable<PullCredential['source']>): boolean {
  return secret.uid === source.uid && secret.namespace === source.namespace && secret.name === source.name;
}

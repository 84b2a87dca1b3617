/** What one probe came to. */
export type ProbeOutcome =
  /** @property warning for the user, though the probe succeeded. */
  | { readonly kind: 'success'; readonly warning?: string }
  | { readonly kind: 'failure'; readonly message: string }
  /** The question could not be asked, which says nothing of the container. Without a message users need not know. */
  | { readonly kind: 'unknown'; readonly message: string | undefined };

export const SUCCESS: ProbeOutcome = { kind: 'success' };

export function failure(message: string): ProbeOutcome {
  return { kind: 'failure', message };
}

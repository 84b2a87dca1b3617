/**
 * What one document may cost. Every limit stands far above any real manifest, and low enough that the worst input
 * within all of them is read in about a second with less than 200 MiB.
 */

/** Kubernetes' limit for a request body. */
export const maxBodyBytes = 3 * 1024 * 1024;

/** Go's decoder stops at 10 000; everything after us (clone, diff, validation) recurses, and V8's stack ends before that. */
export const maxDepth = 1000;

/** Values (maps, lists, scalars) in one input, aliases expanded. A pod has about a hundred. */
export const maxValues = 250_000;

/** Node builders that `countYamlTokens` may find. A ConfigMap full of numbers with commas (1 MiB) stays below it. */
export const maxYamlTokens = 400_000;

/** Processor time that the worker gets for one input. */
export const deadlineMs = 2000;

/** Inputs up to this size are read on the main thread: quicker than the way to the worker and back. */
export const inlineBytes = 64 * 1024;

/** ... when they have at most this many YAML tokens: below 5 ms. */
export const inlineYamlTokens = 8000;

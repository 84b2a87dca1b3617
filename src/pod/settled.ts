/** What came of a promise that is awaited later. */
export type Settled<T> = { readonly value: T } | { readonly error: unknown };

/** A promise that is awaited later must not be able to reject before. */
export async function settle<T>(work: Promise<T>): Promise<Settled<T>> {
  try {
    return { value: await work };
  } catch (error) {
    return { error };
  }
}

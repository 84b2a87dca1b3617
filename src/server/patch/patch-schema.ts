/** The parts of a JSON schema that say how a patch merges. */
export interface PatchSchema {
  readonly properties?: Readonly<Record<string, PatchSchema>>;
  readonly items?: PatchSchema;
  readonly additionalProperties?: PatchSchema | boolean;
  readonly 'x-kubernetes-patch-strategy'?: string;
  readonly 'x-kubernetes-patch-merge-key'?: string;
}

export interface PatchField {
  /** How a list or object in the patch meets the one that is there; lists are replaced if nothing is said. */
  readonly strategy: 'merge' | 'replace' | undefined;
  /** The member that tells the entries of a merged list apart; undefined for lists of plain values. */
  readonly mergeKey: string | undefined;
  readonly schema: PatchSchema;
  /** Of the entries of a list. */
  readonly items: PatchSchema;
}

const nothingKnown: PatchSchema = {};

/** What the schema says about one field; an unknown field merges as plain JSON does. */
export function fieldSchema(schema: PatchSchema, key: string): PatchField {
  const { properties, additionalProperties } = schema;
  const own = properties && Object.hasOwn(properties, key) ? properties[key] : undefined;
  const field = own ?? (typeof additionalProperties === 'object' ? additionalProperties : nothingKnown);
  // `merge,retainKeys` and the like: retainKeys only tells clients to send $retainKeys.
  const strategies = field['x-kubernetes-patch-strategy']?.split(',') ?? [];
  return {
    strategy: strategies.find((strategy) => strategy === 'merge' || strategy === 'replace'),
    mergeKey: field['x-kubernetes-patch-merge-key'],
    schema: field,
    items: field.items ?? nothingKnown,
  };
}

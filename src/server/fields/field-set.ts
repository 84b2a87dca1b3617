/**
 * A set of fields of an object, as server-side apply reckons with them: paths of elements, each written as in FieldsV1
 * (path-element.ts). A field and what is below it are members independently of each other.
 *
 * A set is built by `add`, `child` and `insert`, and not changed once it has been given away: the sets that are made of
 * others share parts with them. Elements begin with their type and a colon, so that none can be `__proto__`.
 */
export class FieldSet {
  readonly #nodes: Map<string, Node>;

  constructor(nodes: Map<string, Node> = new Map()) {
    this.#nodes = nodes;
  }

  get isEmpty(): boolean {
    return this.#nodes.size === 0;
  }

  insert(path: readonly string[]): void {
    const last = path.at(-1);
    if (last === undefined) return;
    path
      .slice(0, -1)
      .reduce<FieldSet>((set, element) => set.child(element), this)
      .add(last);
  }

  /** Makes a direct element a member. */
  add(element: string): void {
    const below = this.#nodes.get(element)?.below;
    this.#nodes.set(element, below ? { isMember: true, below } : leaf);
  }

  /** The set below a direct element, to be filled. */
  child(element: string): FieldSet {
    const node = this.#nodes.get(element);
    if (node?.below) return node.below;
    const below = new FieldSet();
    this.#nodes.set(element, { isMember: node?.isMember ?? false, below });
    return below;
  }

  isMember(element: string): boolean {
    return this.#nodes.get(element)?.isMember ?? false;
  }

  /** What is below a direct element; an empty set when there is nothing. */
  below(element: string): FieldSet {
    return this.#nodes.get(element)?.below ?? nothing;
  }

  has([first = '', ...rest]: readonly string[]): boolean {
    return rest.length === 0 ? this.isMember(first) : this.below(first).has(rest);
  }

  /** Direct elements in a fixed order, whether each is a member, and what is below it. */
  *elements(): Generator<{ element: string; isMember: boolean; below: FieldSet }> {
    for (const element of [...this.#nodes.keys()].sort()) {
      yield { element, isMember: this.isMember(element), below: this.below(element) };
    }
  }

  /** All members. */
  *paths(): Generator<string[]> {
    for (const { element, isMember, below } of this.elements()) {
      if (isMember) yield [element];
      for (const path of below.paths()) yield [element, ...path];
    }
  }

  union(other: FieldSet): FieldSet {
    if (other.isEmpty) return this;
    if (this.isEmpty) return other;
    const nodes = new Map(this.#nodes);
    for (const [element, there] of other.#nodes) {
      const here = nodes.get(element);
      nodes.set(element, here ? unite(here, there) : there);
    }
    return new FieldSet(nodes);
  }

  intersection(other: FieldSet): FieldSet {
    return this.#select(other, (here, there) => here && there, nothing);
  }

  difference(other: FieldSet): FieldSet {
    if (other.isEmpty) return this;
    return this.#select(other, (here, there) => here && !there, this);
  }

  equals(other: FieldSet): boolean {
    return this.difference(other).isEmpty && other.difference(this).isEmpty;
  }

  /** This set without a field and all that is below it. */
  without([first = '', ...rest]: readonly string[]): FieldSet {
    const node = this.#nodes.get(first);
    if (!node) return this;
    const nodes = new Map(this.#nodes);
    if (rest.length === 0) nodes.delete(first);
    else put(nodes, first, node.isMember, node.below?.without(rest));
    return new FieldSet(nodes);
  }

  /** This set with each set below a direct element replaced, and that element a member if wanted. */
  mapBelow(change: (element: string, below: FieldSet) => { below: FieldSet; isMember: boolean }): FieldSet {
    const nodes = new Map<string, Node>();
    for (const [element, node] of this.#nodes) {
      if (!node.below) nodes.set(element, node);
      else {
        const { below, isMember } = change(element, node.below);
        put(nodes, element, node.isMember || isMember, below);
      }
    }
    return new FieldSet(nodes);
  }

  /** @param alone what becomes of what the other set has nothing of: all of it, or nothing. */
  #select(other: FieldSet, keep: (here: boolean, there: boolean) => boolean, alone: FieldSet): FieldSet {
    const nodes = new Map<string, Node>();
    for (const [element, here] of this.#nodes) {
      const there = other.#nodes.get(element);
      if (!there) {
        if (alone === this) nodes.set(element, here);
        continue;
      }
      const below =
        here.below && there.below
          ? here.below.#select(there.below, keep, alone === this ? here.below : nothing)
          : alone === this
            ? here.below
            : undefined;
      put(nodes, element, keep(here.isMember, there.isMember), below);
    }
    return new FieldSet(nodes);
  }
}

interface Node {
  readonly isMember: boolean;
  readonly below: FieldSet | undefined;
}

/** Shared by all that are members and have nothing below them: most. */
const leaf: Node = { isMember: true, below: undefined };

const nothing = new FieldSet();

function unite(here: Node, there: Node): Node {
  if (!here.below && !there.below) return here.isMember ? here : there;
  const below = here.below && there.below ? here.below.union(there.below) : (here.below ?? there.below);
  return { isMember: here.isMember || there.isMember, below };
}

function put(nodes: Map<string, Node>, element: string, isMember: boolean, below: FieldSet | undefined): void {
  if (below && !below.isEmpty) nodes.set(element, { isMember, below });
  else if (isMember) nodes.set(element, leaf);
}

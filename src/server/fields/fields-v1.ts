import { FieldSet } from './field-set.ts';
import { canonicalElement } from './path-element.ts';

/** FieldsV1: a tree of elements, where `.` says that the element itself is a member, and so does an empty tree. */

export function writeFieldsV1(set: FieldSet): Record<string, unknown> {
  const tree: Record<string, unknown> = {};
  for (const { element, isMember, below } of set.elements()) {
    const inner = writeFieldsV1(below);
    tree[element] = isMember && !below.isEmpty ? { '.': {}, ...inner } : inner;
  }
  return tree;
}

/** @returns undefined when it is no FieldsV1. Its depth is that of a body at most. */
export function readFieldsV1(tree: unknown): FieldSet | undefined {
  const set = new FieldSet();
  return isTree(tree) && readInto(set, tree) ? set : undefined;
}

function readInto(set: FieldSet, tree: Record<string, unknown>): boolean {
  return Object.keys(tree).every((key) => {
    if (key === '.') return true;
    const element = canonicalElement(key);
    const inner = tree[key];
    if (element === undefined || !isTree(inner)) return false;
    const keys = Object.keys(inner);
    if (keys.length === 0 || Object.hasOwn(inner, '.')) set.add(element);
    return keys.length === 0 || readInto(set.child(element), inner);
  });
}

function isTree(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

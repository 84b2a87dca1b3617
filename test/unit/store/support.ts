import { pino } from 'pino';
import type { Test } from 'tap';
import { Type } from 'typebox';
import type { KindDefinition } from '../../../src/api/kind.ts';
import type { KubeObject, ObjectMeta, Status } from '../../../src/api/meta.ts';
import { StatusError } from '../../../src/api/status-error.ts';
import { Store, type StoreOptions } from '../../../src/store/store.ts';

export interface Thing extends KubeObject {
  spec: { color: string };
}

function kindNamed(kind: string, plural: string): KindDefinition<Thing> {
  return {
    group: '',
    version: 'v1',
    kind,
    listKind: `${kind}List`,
    plural,
    singular: kind.toLowerCase(),
    shortNames: [],
    categories: [],
    namespaced: true,
    schema: Type.Object({}),
    verbs: [],
    subresources: [],
    prepareForCreate: () => {},
    prepareForUpdate: () => {},
    prepareForStatusUpdate: () => {},
    applyDefaults: () => {},
    validateCreate: () => [],
    validateUpdate: () => [],
    validateStatusUpdate: () => [],
    columns: [],
    row: () => [],
    selectableFields: () => ({}),
  };
}

export const thingKind = kindNamed('Thing', 'things');
export const otherKind = kindNamed('Other', 'others');

export function thing(name: string, color = 'red', metadata: Partial<ObjectMeta> = {}): Thing {
  return {
    apiVersion: 'v1',
    kind: 'Thing',
    metadata: { name, namespace: 'default', uid: `uid-of-${name}`, ...metadata },
    spec: { color },
  };
}

export function newStore(path: string, options: Partial<StoreOptions> = {}): Store {
  return new Store({
    path,
    logger: pino({ level: 'silent' }),
    clock: { now: () => 0, monotonicMs: () => 0 },
    bootId: 'this-boot',
    // Quicker than the default.
    reserveBytes: 4_096,
    ...options,
  });
}

/** An open store in the test's own directory, closed at its end. */
export function openStore(t: Test, options: Partial<StoreOptions> = {}): Store {
  const store = newStore(`${t.testdir({})}/store.db`, options);
  store.open();
  t.teardown(() => store.close());
  return store;
}

/** Lets what was queued for after the running task happen. */
export function nextTask(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** The Status of the error that the action throws. */
export function statusOf(action: () => unknown): Status {
  try {
    action();
  } catch (error) {
    if (error instanceof StatusError) return error.status;
    throw error;
  }
  throw new Error('nothing was thrown');
}

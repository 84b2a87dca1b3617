import t from 'tap';
import type { TSchema } from 'typebox';
import { kinds, podKind } from '../../../src/api/kinds.ts';

interface Shape extends TSchema {
  properties?: Record<string, Shape>;
  items?: Shape;
  additionalProperties?: Shape;
  'x-definition'?: string;
}

function* shapesBelow(shape: Shape): Generator<Shape> {
  yield shape;
  for (const property of Object.values(shape.properties ?? {})) yield* shapesBelow(property);
  if (shape.items) yield* shapesBelow(shape.items);
  if (shape.additionalProperties) yield* shapesBelow(shape.additionalProperties);
}

function at(shape: Shape, path: string): Shape {
  let current = shape;
  for (const part of path.split('.')) {
    const next = (current.items ?? current).properties?.[part];
    if (!next) throw new Error(`no ${part} in ${path}`);
    current = next;
  }
  return current;
}

const pod = podKind.schema as Shape;

t.test('the Pod schema has every field of Kubernetes 1.36', async (t) => {
  const counts: Record<string, number> = {
    spec: 42,
    'spec.containers': 25,
    'spec.ephemeralContainers': 26,
    'spec.containers.securityContext': 12,
    'spec.securityContext': 13,
    status: 21,
    'status.containerStatuses': 15,
  };
  for (const [path, count] of Object.entries(counts)) {
    const shape = at(pod, path);
    t.equal(Object.keys((shape.items ?? shape).properties ?? {}).length, count, path);
  }
  const sources = Object.keys(at(pod, 'spec.volumes').items?.properties ?? {}).filter((key) => key !== 'name');
  t.equal(sources.length, 30, 'volume sources');
});

t.test('lists say how patches merge them', async (t) => {
  const merged: Record<string, [key: string, strategy: string]> = {
    'spec.containers': ['name', 'merge'],
    'spec.volumes': ['name', 'merge,retainKeys'],
    'spec.containers.env': ['name', 'merge'],
    'spec.containers.ports': ['containerPort', 'merge'],
    'spec.containers.volumeMounts': ['mountPath', 'merge'],
    'spec.hostAliases': ['ip', 'merge'],
    'spec.imagePullSecrets': ['name', 'merge'],
    'metadata.ownerReferences': ['uid', 'merge'],
    'status.conditions': ['type', 'merge'],
  };
  for (const [path, [key, strategy]] of Object.entries(merged)) {
    const shape = at(pod, path);
    t.equal(shape['x-kubernetes-patch-merge-key' as never], key, path);
    t.equal(shape['x-kubernetes-patch-strategy' as never], strategy, path);
  }
  t.equal(at(pod, 'spec.tolerations')['x-kubernetes-list-type' as never], 'atomic');
});

t.test('a definition name stands for one shape only', async (t) => {
  const shapes = new Map<string, string>();
  const different = new Set<string>();
  for (const kind of kinds) {
    for (const shape of shapesBelow(kind.schema as Shape)) {
      const name = shape['x-definition'];
      if (name === undefined) continue;
      const text = JSON.stringify(shape, (key, value: unknown) =>
        key === 'description' || key === 'x-keep-zero' ? undefined : value,
      );
      if ((shapes.get(name) ?? text) !== text) different.add(name);
      shapes.set(name, text);
    }
  }
  t.same([...different], []);
  t.ok(shapes.has('io.k8s.api.core.v1.Container'));
});

import t from 'tap';
import { strictDecodingMessage, strictDecodingProblems } from '../../../../src/api/decode/strict.ts';

const value = {
  metadata: { name: 'a', unknownMeta: 1 },
  spec: { unknown1: { x: 1 }, containers: [{ image: 'x', imagePullPolicy: 'Always' }] },
};

t.test('JSON: all problems in the order of the document, unknown before duplicate for one field', async (t) => {
  const problems = {
    format: 'json' as const,
    value,
    duplicates: [
      'duplicate field "metadata.name"',
      'duplicate field "metadata.unknownMeta"',
      'duplicate field "spec.unknown1.x"',
      'duplicate field "spec.containers[0].imagePullPolicy"',
    ],
    unknownFields: ['metadata.unknownMeta', 'spec.unknown1'],
  };
  t.equal(
    strictDecodingMessage(problems),
    'strict decoding error: duplicate field "metadata.name", unknown field "metadata.unknownMeta", unknown field "spec.unknown1", duplicate field "spec.containers[0].imagePullPolicy"',
  );
  t.equal(strictDecodingProblems(problems).length, 4);
});

t.test('YAML: the Go library says its duplicates first, in one message of several lines', async (t) => {
  const problems = {
    format: 'yaml' as const,
    value,
    duplicates: ['line 5: key "name" already set in map', 'line 9: key "image" already set in map'],
    unknownFields: ['spec.unknown1'],
  };
  t.equal(
    strictDecodingMessage(problems),
    'strict decoding error: yaml: unmarshal errors:\n  line 5: key "name" already set in map\n  line 9: key "image" already set in map, unknown field "spec.unknown1"',
  );
  t.strictSame(strictDecodingProblems(problems), [
    'line 5: key "name" already set in map',
    'line 9: key "image" already set in map',
    'unknown field "spec.unknown1"',
  ]);
});

t.test('unknown fields alone, and nothing', async (t) => {
  const none = { format: 'yaml' as const, value, duplicates: [], unknownFields: [] };
  t.equal(strictDecodingMessage(none), undefined);
  t.equal(
    strictDecodingMessage({ ...none, unknownFields: ['spec.unknown1'] }),
    'strict decoding error: unknown field "spec.unknown1"',
  );
});

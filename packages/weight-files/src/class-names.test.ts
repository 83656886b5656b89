import { describe, expect, it } from 'vitest';
import { classNamesIn } from './class-names.ts';
import { memoryWeights } from './weight-file.ts';

const file = (metadata: Record<string, string>) => memoryWeights({}, { metadata });

describe('classNamesIn', () => {
  it.each([
    ['mmdetection 2', { meta: '{"CLASSES":["cat","dog"]}' }],
    ['mmengine, within meta', { meta: '{"dataset_meta":{"classes":["cat","dog"]}}' }],
    ['mmengine, beside it', { dataset_meta: '{"CLASSES":["cat","dog"]}' }],
  ])('%s', (_, metadata) => {
    expect(classNamesIn(file(metadata), 2)).toEqual(['cat', 'dog']);
  });

  it('takes a single name that is no list', () => {
    expect(classNamesIn(file({ meta: '{"CLASSES":"cell"}' }), 1)).toEqual(['cell']);
  });

  it.each([
    [{}],
    [{ meta: 'no json' }],
    [{ meta: 'null' }],
    [{ meta: '{"CLASSES":["cat"]}' }],
    [{ meta: '{"CLASSES":["cat",3]}' }],
    [{ meta: '[]' }],
  ])('gives nothing for %j and two classes', (metadata) => {
    expect(classNamesIn(file(metadata as Record<string, string>), 2)).toBeUndefined();
  });
});

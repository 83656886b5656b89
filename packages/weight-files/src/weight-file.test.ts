import { expect, it } from 'vitest';
import { WeightFileError } from './errors.ts';
import { memoryWeights } from './weight-file.ts';

const tensors = {
  f: { shape: [2], data: new Float32Array([1, 2]) },
  i: { shape: [], data: new Int32Array([3]) },
  u: { shape: [1, 1], data: new Uint8Array([4]) },
};

it.each([
  ['an object', tensors],
  ['a map', new Map(Object.entries(tensors))],
])('memoryWeights of %s', async (_, given) => {
  const file = memoryWeights(given, { name: 'mine', metadata: { a: 'b' } });
  expect([...file.entries]).toEqual([
    ['f', { shape: [2], dtype: 'F32' }],
    ['i', { shape: [], dtype: 'I32' }],
    ['u', { shape: [1, 1], dtype: 'U8' }],
  ]);
  expect(file.metadata).toEqual({ a: 'b' });
  for (const [name, tensor] of Object.entries(tensors)) expect(await file.read(name)).toEqual(tensor);
  const error = await file.read('toString').catch((e) => e);
  expect(error).toBeInstanceOf(WeightFileError);
  expect(error.message).toBe("mine has no tensor 'toString'");
  await file.close();
});

it('is called weights unless it is given a name', () => {
  expect(memoryWeights({}).name).toBe('weights');
});

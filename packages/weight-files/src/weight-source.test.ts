import type { TensorData } from '@e3va/adapter-core';
import { describe, expect, it } from 'vitest';
import {
  asIs,
  conv,
  floats,
  linear,
  linears,
  prefixed,
  reshaped,
  transposed,
  vectors,
  type WeightSource,
} from './weight-source.ts';

/** An array that counts upwards from a number. */
function counting(shape: readonly number[], from = 0): TensorData {
  const size = shape.reduce((a, b) => a * b, 1);
  return { shape: [...shape], data: Float32Array.from({ length: size }, (_, i) => from + i) };
}

/** Converts arrays of the shapes that a source asks for; each next one begins 1000 higher. */
function converted({ parts, convert }: WeightSource): number[] {
  return [...convert!(parts.map(({ shape }, i) => counting(shape, 1000 * i)))];
}

describe('sources', () => {
  it('asIs takes the array as it is', () => {
    expect(asIs('b', [3])).toEqual({ parts: [{ name: 'b', shape: [3] }] });
  });

  it('reshaped keeps the order of the numbers', () => {
    const source = reshaped('s', [2, 1, 3]);
    expect(source.parts).toEqual([{ name: 's', shape: [2, 1, 3] }]);
    expect(converted(source)).toEqual([0, 1, 2, 3, 4, 5]);
  });

  it('linear: [out, in] to [in, out]', () => {
    const source = linear('w', [3, 2]);
    expect(source.parts).toEqual([{ name: 'w', shape: [2, 3] }]);
    expect(converted(source)).toEqual([0, 3, 1, 4, 2, 5]);
  });

  it('linears: queries, keys and values side by side', () => {
    const source = linears(['q', 'k', 'v'], [2, 6]);
    expect(source.parts).toEqual(['q', 'k', 'v'].map((name) => ({ name, shape: [2, 2] })));
    expect(converted(source)).toEqual([0, 2, 1000, 1002, 2000, 2002, 1, 3, 1001, 1003, 2001, 2003]);
  });

  it('vectors: end to end', () => {
    const source = vectors(['q', 'k'], 6);
    expect(source.parts).toEqual(['q', 'k'].map((name) => ({ name, shape: [3] })));
    expect(converted(source)).toEqual([0, 1, 2, 1000, 1001, 1002]);
  });

  it('conv: [out, in, rows, columns] to [rows, columns, in, out]', () => {
    const [rows, columns, inputs, outputs] = [2, 3, 4, 5];
    const source = conv('c', [rows, columns, inputs, outputs]);
    expect(source.parts[0]?.shape).toEqual([5, 4, 2, 3]);
    const out = converted(source);
    for (let r = 0; r < rows; r++)
      for (let c = 0; c < columns; c++)
        for (let i = 0; i < inputs; i++)
          for (let o = 0; o < outputs; o++) {
            const there = ((o * inputs + i) * rows + r) * columns + c;
            expect(out[((r * columns + c) * inputs + i) * outputs + o]).toBe(there);
          }
  });

  it('depthwise conv: [channels, 1, rows, columns] to [rows, columns, channels, 1]', () => {
    const source = conv('c', [2, 3, 4, 1], { depthwise: true });
    expect(source.parts[0]?.shape).toEqual([4, 1, 2, 3]);
    const out = converted(source);
    for (let p = 0; p < 6; p++) for (let ch = 0; ch < 4; ch++) expect(out[p * 4 + ch]).toBe(ch * 6 + p);
  });

  it('prefixed: the same under another name', () => {
    const source = prefixed({ ...linears(['q', 'k'], [2, 2]), otherwise: 1 }, 'swin.');
    expect(source.parts.map(({ name }) => name)).toEqual(['swin.q', 'swin.k']);
    expect(source.otherwise).toBe(1);
    expect(converted(source)).toEqual(converted(linears(['q', 'k'], [2, 2])));
  });
});

it.each([
  [1, 1],
  [1, 7],
  [5, 1],
  [4, 4],
  [3, 33],
  [37, 5],
  [65, 70],
  [0, 3],
  [128, 96],
])('transposed: %i by %i', (rows, cols) => {
  const { data } = counting([rows, cols]);
  const out = transposed({ shape: [rows, cols], data }, rows);
  expect(out.length).toBe(rows * cols);
  for (let r = 0; r < rows; r++) for (let c = 0; c < cols; c++) expect(out[c * rows + r]).toBe(r * cols + c);
});

it('floats: no copy of what is float32, whole numbers widened', () => {
  const data = new Float32Array([1.5]);
  expect(floats({ shape: [1], data })).toBe(data);
  expect(floats({ shape: [2], data: new Int32Array([-1, 7]) })).toEqual(new Float32Array([-1, 7]));
  expect(floats({ shape: [1], data: new Uint8Array([255]) })).toEqual(new Float32Array([255]));
});

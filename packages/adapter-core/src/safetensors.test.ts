import { readdirSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeSafetensors, encodeSafetensors } from './safetensors.ts';
import { SafetensorsError } from './safetensors-error.ts';
import { parseStrictJson } from './strict-json.ts';

const example = {
  b: { shape: [2, 3], data: new Float32Array([1, -2, 3.5, 0, 1e-8, -0.25]) },
  a: { shape: [], data: new Int32Array([7]) },
  empty: { shape: [0, 4], data: new Float32Array(0) },
  mask: { shape: [3], data: new Uint8Array([0, 1, 255]) },
};

/** A file made by hand: header text, then data. */
function file(header: string, data: Uint8Array = new Uint8Array()): Uint8Array {
  const head = new TextEncoder().encode(header);
  const bytes = new Uint8Array(8 + head.length + data.length);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(head.length), true);
  bytes.set(head, 8);
  bytes.set(data, 8 + head.length);
  return bytes;
}

describe('safetensors', () => {
  it('round trip, whatever buffer holds the bytes', () => {
    const bytes = encodeSafetensors(example, { note: 'ä' });
    for (const view of [bytes, Buffer.from(bytes), new Uint8Array([9, 9, 9, ...bytes]).subarray(3)]) {
      const { tensors, metadata } = decodeSafetensors(view);
      expect(metadata).toEqual({ note: 'ä' });
      for (const [name, { shape, data }] of Object.entries(example)) {
        expect(tensors.get(name)).toMatchObject({ shape, data });
      }
    }
  });

  it('is deterministic and aligned', () => {
    const swapped = Object.fromEntries(Object.entries(example).reverse());
    expect(encodeSafetensors(swapped)).toEqual(encodeSafetensors(example));
    expect(Number(new DataView(encodeSafetensors(example).buffer).getBigUint64(0, true)) % 8).toBe(0);
  });

  it('widens half precision, bfloat16, and small and large integers', () => {
    const read = (dtype: string, shape: number[], data: ArrayBufferLike) => [
      ...decodeSafetensors(
        file(
          JSON.stringify({ t: { dtype, shape, data_offsets: [0, data.byteLength] } }),
          new Uint8Array(data),
        ),
      ).tensors.get('t')!.data,
    ];
    const halves = new Uint16Array([0x3c00, 0xc000, 0x0001, 0x7bff, 0x7c00, 0x8000]);
    expect(read('F16', [6], halves.buffer)).toEqual([1, -2, 2 ** -24, 65504, Number.POSITIVE_INFINITY, -0]);
    expect(read('BF16', [2], new Uint16Array([0x3f80, 0xc049]).buffer)).toEqual([1, -3.140625]);
    expect(read('F64', [1], new Float64Array([0.5]).buffer)).toEqual([0.5]);
    expect(read('I64', [2], new BigInt64Array([-5n, 2n ** 31n - 1n]).buffer)).toEqual([-5, 2 ** 31 - 1]);
    expect(read('I16', [2], new Int16Array([-3, 4]).buffer)).toEqual([-3, 4]);
    expect(() => read('I64', [1], new BigInt64Array([2n ** 40n]).buffer)).toThrow(/beyond 32 bits/);
  });

  it('widens unsigned integers and floats of eight bits', () => {
    const read = (dtype: string, data: ArrayBufferView) => {
      const shape = [data.byteLength / { U16: 2, U32: 4, U64: 8 }[dtype]! || data.byteLength];
      const header = { t: { dtype, shape, data_offsets: [0, data.byteLength] } };
      const bytes = file(JSON.stringify(header), new Uint8Array(data.buffer as ArrayBuffer));
      return [...decodeSafetensors(bytes).tensors.get('t')!.data];
    };
    expect(read('U16', new Uint16Array([0, 65535]))).toEqual([0, 65535]);
    expect(read('U32', new Uint32Array([7, 2 ** 31 - 1]))).toEqual([7, 2 ** 31 - 1]);
    expect(read('U64', new BigUint64Array([9n]))).toEqual([9]);
    expect(() => read('U32', new Uint32Array([2 ** 31]))).toThrow(/beyond 32 bits/);
    expect(() => read('U64', new BigUint64Array([2n ** 63n]))).toThrow(/beyond 32 bits/);
    // as (exponent, fraction) of the formats' definition: largest, smallest normal, smallest, one, NaN
    expect(read('F8_E4M3', new Uint8Array([0x7e, 0x08, 0x01, 0xb8, 0x7f, 0xff]))).toEqual([
      448,
      2 ** -6,
      2 ** -9,
      -1,
      Number.NaN,
      Number.NaN,
    ]);
    expect(read('F8_E5M2', new Uint8Array([0x7b, 0x04, 0x01, 0xbc, 0x7c, 0x7e]))).toEqual([
      57344,
      2 ** -14,
      2 ** -16,
      -1,
      Number.POSITIVE_INFINITY,
      Number.NaN,
    ]);
  });

  it.each([
    ['{"a":1,"b":{"a":2},"c":[{"a":3},"a","a"]}', undefined],
    ['{"a":1,"b":2,"a":3}', 'a'],
    ['{"x":{"a":"}\\"","a":1}}', 'a'],
    ['{"a":1,"\\u0061":2}', 'a'],
    ['[{"a":[]},{"a":",","b":0}]', undefined],
    ['{"a":["b",{"c":1}],"b":{},"b":1}', 'b'],
  ])('%s has the key %s twice', (text, key) => {
    const value = JSON.parse(text);
    if (key === undefined) expect(parseStrictJson(text)).toEqual(value);
    else expect(() => parseStrictJson(text)).toThrow(`the key '${key}' stands twice`);
  });

  it.each([
    ['[', /nested more than/],
    [`${'['.repeat(201)}${']'.repeat(201)}`, /nested more than/],
    [`[${'1,'.repeat(5_000_000)}1]`, /more than 5000000 values/],
    ['{"\\q":1}', SyntaxError],
    ['"unfinished', SyntaxError],
    ['"\\', SyntaxError],
    ['', SyntaxError],
  ])('refuses JSON that is damaged or large', (text, message) => {
    const long = text === '[' ? text.repeat(1e7) : text;
    expect(() => parseStrictJson(long)).toThrow(message);
  });

  it('takes deep and long JSON within the bounds, and brackets in texts', () => {
    const deep = `${'['.repeat(200)}${']'.repeat(200)}`;
    expect(JSON.stringify(parseStrictJson(deep))).toBe(deep);
    expect(parseStrictJson(JSON.stringify({ [deep.repeat(2)]: '\\",[' }))).toEqual({
      [deep.repeat(2)]: '\\",[',
    });
  });

  it('takes __proto__ as a name like any other', () => {
    const entry = '{"dtype":"U8","shape":[1],"data_offsets":[0,1]}';
    const bytes = file(`{"__metadata__":{"__proto__":"m"},"__proto__":${entry}}`, new Uint8Array([5]));
    const { tensors, metadata } = decodeSafetensors(bytes);
    expect([...tensors.get('__proto__')!.data]).toEqual([5]);
    expect(Object.entries(metadata)).toEqual([['__proto__', 'm']]);
    expect('dtype' in {}).toBe(false);
  });

  it.each<[string, Uint8Array]>([
    [
      'a name twice',
      file(
        '{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}',
        new Uint8Array(1),
      ),
    ],
    ['white space before the object', file(' {}')],
    ['a byte order mark', file('\ufeff{}')],
    [
      'nesting without end as shape',
      file(`{"t":{"dtype":"U8","shape":${'['.repeat(1e5)}${']'.repeat(1e5)}}}`),
    ],
    ['nesting without end as type', file(`{"t":{"dtype":${'['.repeat(1e5)}${']'.repeat(1e5)}}}`)],
    ['an object with a toString as type', file('{"t":{"dtype":{"toString":1}}}')],
    ['shorter than a length', new Uint8Array(5)],
    ['a header longer than the file', file('{}').subarray(0, 9)],
    ['no JSON', file('{"a":')],
    ['an array', file('[]')],
    ['an unknown type', file('{"t":{"dtype":"Q4","shape":[1],"data_offsets":[0,1]}}', new Uint8Array(1))],
    [
      'a prototype as type',
      file('{"t":{"dtype":"constructor","shape":[1],"data_offsets":[0,1]}}', new Uint8Array(1)),
    ],
    [
      'data outside the file',
      file('{"t":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}', new Uint8Array(4)),
    ],
    ['a wrong size', file('{"t":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}', new Uint8Array(4))],
    ['a huge shape', file('{"t":{"dtype":"U8","shape":[4294967296,4294967296],"data_offsets":[0,0]}}')],
    ['a negative offset', file('{"t":{"dtype":"U8","shape":[1],"data_offsets":[-1,0]}}')],
    [
      'an overlap',
      file(
        '{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}}',
        new Uint8Array(3),
      ),
    ],
    ['a gap', file('{"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}', new Uint8Array(2))],
    ['bytes behind', file('{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}', new Uint8Array(2))],
    ['metadata that are no strings', file('{"__metadata__":{"a":1}}')],
    ['a null entry', file('{"a":null}')],
  ])('refuses %s', (_, bytes) => {
    expect(() => decodeSafetensors(bytes)).toThrow(SafetensorsError);
  });

  it('survives 20,000 mutations with no other error', () => {
    const bytes = encodeSafetensors(example, { note: 'x' });
    const mutation = fc.tuple(fc.nat(bytes.length - 1), fc.nat(255));
    fc.assert(
      fc.property(
        fc.array(mutation, { minLength: 1, maxLength: 4 }),
        fc.nat(bytes.length),
        (changes, cut) => {
          const copy = bytes.slice(0, cut % 3 === 0 ? cut : bytes.length);
          for (const [at, value] of changes) if (at < copy.length) copy[at] = value;
          try {
            decodeSafetensors(copy);
          } catch (error) {
            expect(error).toBeInstanceOf(SafetensorsError);
          }
        },
      ),
      { numRuns: 20_000 },
    );
  });

  it('reads files that the safetensors library wrote', () => {
    const folder = new URL('../test/fixtures/', import.meta.url);
    for (const name of readdirSync(folder).filter((f) => f.endsWith('.safetensors'))) {
      const { tensors, metadata } = decodeSafetensors(readFileSync(new URL(name, folder)), name);
      expect(tensors.size).toBeGreaterThan(0);
      expect(JSON.parse(metadata.oracle!)).toBeTypeOf('object');
    }
  });
});

import { existsSync, readFileSync } from 'node:fs';
import { encodeSafetensors } from '@e3va/adapter-core';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import { deflateSync } from 'fflate';
import { describe, expect, it } from 'vitest';
import { asIs, loadWeights, openWeights, WeightFileError, WeightsMismatchError } from '../src/index.ts';
import { bytesOf, le } from './support/bytes.ts';
import {
  checkpoint,
  dict,
  global,
  int,
  legacyCheckpoint,
  list,
  none,
  type Op,
  pickle,
  reduce,
  storage,
  tensor,
  text,
  tuple,
} from './support/pickle-writer.ts';
import { type EntryToWrite, zip } from './support/zip-writer.ts';

/** Opens bytes and reads all; the message of the error that must come. */
async function refusal(bytes: Uint8Array): Promise<string> {
  try {
    const file = await openWeights(bytes, { name: 'it' });
    for (const name of file.entries.keys()) await file.read(name);
  } catch (error) {
    expect(error).toBeInstanceOf(WeightFileError);
    return (error as Error).message;
  }
  throw new Error('nothing was refused');
}

const good = dict({ a: tensor() });

describe('what is no weight file', () => {
  it.each<[string, string | Uint8Array, RegExp]>([
    ['an empty file', '', /an empty file/],
    [
      'a pointer of git-lfs',
      'version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n',
      /git lfs pull/,
    ],
    ['a page of HTML', '\n<!DOCTYPE html><html>', /page of HTML/],
    ['an XML answer', '<?xml version="1.0"?><Error/>', /page of HTML or XML/],
    ['a text', 'Entry not found', /15 bytes that begin with 45 6e/],
    ['a PNG', bytesOf([0x89], 'PNG\r\n\x1a\n'), /89 50 4e 47/],
    ['a lone byte', bytesOf([0x80]), /80/],
    ['a zip of something else', zip([{ name: 'a.txt', data: new Uint8Array(3) }]), /neither of PyTorch nor/],
  ])('%s', async (_, bytes, message) => {
    expect(await refusal(bytesOf(bytes))).toMatch(message);
  });

  it('the contents tell the format, not the name', async () => {
    const file = await openWeights(checkpoint(good), { name: 'model.safetensors' });
    expect(file.entries.size).toBe(1);
  });

  it('a safetensors header whose length begins as another format does', async () => {
    for (const length of [0x7b, 0x80 + 0x200]) {
      const json = '{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}'.padEnd(length);
      const file = await openWeights(bytesOf(le(length, 8), json, 5));
      expect([...(await file.read('a')).data]).toEqual([5]);
    }
  });
});

describe('safetensors', () => {
  const whole = encodeSafetensors(
    {
      a: { shape: [2, 2], data: new Float32Array([1, 2, 3, 4]) },
      b: { shape: [1], data: new Int32Array(1) },
    },
    { note: 'x' },
  );
  const headed = (json: string, ...data: number[]) => bytesOf(le(json.length, 8), json, data);

  it('cut short at every byte, and padded', async () => {
    for (let n = 0; n < whole.length; n++) await refusal(whole.subarray(0, n));
    expect(await refusal(bytesOf(whole, 0))).toMatch(/does not end with its last tensor/);
  });

  it.each<[string, Uint8Array, RegExp]>([
    ['a huge header length', bytesOf(le(2n ** 62n, 8), '{}'), /longer than the file/],
    ['a header length beyond the file', bytesOf(le(3, 8), '{}'), /longer than the file/],
    [
      'names twice',
      headed(
        '{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}',
        0,
      ),
      /the key 'a' stands twice/,
    ],
    [
      'overlapping tensors',
      headed(
        '{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}}',
        0,
        0,
        0,
      ),
      /overlaps/,
    ],
    [
      'a shape beyond 2^53',
      headed('{"a":{"dtype":"U8","shape":[9007199254740992,2],"data_offsets":[0,0]}}'),
      /no list of sizes/,
    ],
    ['nesting without end', headed(`{"a":${'['.repeat(1e5)}${']'.repeat(1e5)}}`), /nested more than/],
    [
      '64-bit numbers beyond 32 bits',
      headed('{"a":{"dtype":"I64","shape":[1],"data_offsets":[0,8]}}', 0, 0, 0, 0, 0, 1, 0, 0),
      /beyond 32 bits/,
    ],
  ])('%s', async (_, bytes, message) => {
    expect(await refusal(bytes)).toMatch(message);
  });
});

describe('pickles', () => {
  /** A pickle that leaves a state dict, after opcodes that should not be gone through. */
  const before = (...ops: (number | Uint8Array | string)[]) => checkpoint(bytesOf(...ops, '0', good));

  it.each<[string, string, string]>([
    ['os.system', 'os', 'system'],
    ['posix.system', 'posix', 'system'],
    ['subprocess', 'subprocess', 'Popen'],
    ['eval', 'builtins', 'eval'],
    ['exec of Python 2', '__builtin__', 'execfile'],
    ['importlib', 'importlib', 'import_module'],
    ['a submodule', 'importlib.util', 'find_spec'],
    ['torch.hub', 'torch.hub', 'load'],
    ['numpy runstring', 'numpy.testing._private.utils', 'runstring'],
  ])('%s is refused by its name, wherever it stands', async (_, module, name) => {
    const attack = reduce(global(module, name), text('touch attacked'));
    for (const value of [dict({ a: tensor(), b: attack }), bytesOf(attack, '0', good)]) {
      expect(await refusal(checkpoint(value))).toMatch(`it asks for ${module}.${name}`);
      expect(await refusal(legacyCheckpoint(value))).toMatch(`it asks for ${module}.${name}`);
    }
    const byStack = bytesOf(text(module), text(name), 0x93, tuple(text('touch attacked')), 'R');
    expect(await refusal(checkpoint(bytesOf(byStack, '0', good)))).toMatch(/it asks for/);
    const byInstance = bytesOf('(', text('touch attacked'), `i${module}\n${name}\n`);
    expect(await refusal(checkpoint(bytesOf(byInstance, '0', good)))).toMatch(/it asks for/);
    expect(existsSync('attacked')).toBe(false);
  });

  it('unknown classes are never made: the weights beside them are read', async () => {
    const foreign = [
      reduce(global('mypackage', 'Thing'), text('x')),
      bytesOf(global('mypackage', 'Thing'), tuple(), 0x81, dict({ a: int(1) }), 'b'), // NEWOBJ, BUILD
      bytesOf(global('mypackage', 'Thing'), tuple(), dict({}), 0x92), // NEWOBJ_EX
      bytesOf('(', global('mypackage', 'Thing'), text('x'), 'o'), // OBJ
      bytesOf('(', text('x'), 'imypackage\nThing\n'), // INST
      bytesOf(reduce(global('mypackage', 'Dict')), '(', text('k'), text('v'), 'u'),
      bytesOf(reduce(global('mypackage', 'List')), text('v'), 'a'),
      reduce(reduce(global('mypackage', 'factory')), text('what a call gave is called')),
      reduce(list(list()), text('a list is called')),
    ];
    const items = Object.fromEntries(foreign.map((value, i) => [`f${i}`, value]));
    const file = await openWeights(checkpoint(dict({ ...items, a: tensor() })));
    expect([...file.entries.keys()]).toEqual(['a']);
    expect(file.metadata.f5).toBe('{"k":"v"}');
    for (const value of foreign) expect(await refusal(checkpoint(value))).toMatch(/no state dict/);
  });

  it.each<[string, Op]>([
    ['a storage', reduce(global('mypackage', 'make'), storage('0', 4))],
    ['a tensor', reduce(global('mypackage', 'make'), tensor())],
    ['a tensor in its state', bytesOf(reduce(global('mypackage', 'make')), dict({}), '0', tensor(), 'b')],
    ['a quantised storage', tensor({ type: 'QInt8Storage' })],
    ['another call with one', reduce(global('a', 'b'), reduce(global('c', 'd'), storage('0', 4)))],
  ])('a tensor that an unknown function makes of %s', async (_, value) => {
    expect(await refusal(checkpoint(dict({ a: tensor(), b: value })))).toMatch(/tensor 'b' is made by/);
  });

  it.each<[string, Op | Uint8Array]>([
    ['BINUNICODE8 of 2^60', bytesOf(0x8d, le(2n ** 60n, 8))],
    ['BINBYTES8 of 2^60', bytesOf(0x8e, le(2n ** 60n, 8))],
    ['BYTEARRAY8 of 2^31', bytesOf(0x96, le(2 ** 31, 8))],
    ['BINUNICODE of 2^31', bytesOf(0x58, le(2 ** 31, 4))],
    ['BINBYTES of 2^31', bytesOf(0x42, le(2 ** 31, 4))],
    ['BINSTRING of a negative length', bytesOf(0x54, le(-1, 4))],
    ['LONG4 of 2^31', bytesOf(0x8b, le(2 ** 31, 4))],
    ['LONG4 of 2000 bytes', bytesOf(0x8b, le(2000, 4), new Uint8Array(2000))],
    ['a decimal number of 5000 digits', bytesOf('L', '9'.repeat(5000), 'L\n')],
    ['a decimal number that is none', bytesOf('I0x10\n')],
    ['a float that is none', bytesOf('Fone\n')],
    ['memo that was never set', bytesOf('h', 5)],
    ['long memo that was never set', bytesOf('j', le(2 ** 31, 4))],
    ['TUPLE without a mark', bytesOf('t')],
    ['TUPLE3 without values', bytesOf('N', 0x87)],
    ['APPEND to a number', bytesOf(int(1), 'Na')],
    ['SETITEMS with a key alone', bytesOf('}(', 'N', 'u')],
    ['SETITEM on a list', bytesOf(']NNs')],
    ['BUILD on nothing', bytesOf('Nb')],
    ['REDUCE with no tuple', bytesOf(global('a', 'b'), 'NR')],
    ['STACK_GLOBAL of numbers', bytesOf(int(1), int(2), 0x93)],
    ['a protocol of the future', bytesOf(0x80, 9)],
    ['an extension code', bytesOf(0x82, 1)],
    ['a buffer outside', bytesOf(0x97)],
    ['an opcode that is none', bytesOf(0xff)],
    ['a reference outside that is no storage', bytesOf(text('x'), 'Q')],
    ['a reference outside as text', bytesOf('Px\n')],
    ['a storage of a negative size', storage('0', -1)],
    [
      'a storage of a class that is none',
      bytesOf(tuple(text('storage'), int(1), text('0'), text('cpu'), int(4)), 'Q'),
    ],
    [
      'a tensor without a storage',
      reduce(global('torch._utils', '_rebuild_tensor_v2'), none, int(0), tuple(), tuple()),
    ],
    ['a tensor without arguments', reduce(global('torch._utils', '_rebuild_tensor_v2'))],
    ['an OrderedDict of no pairs', reduce(global('collections', 'OrderedDict'), list(int(1)))],
  ])('%s', async (_, op) => {
    expect(await refusal(before(op))).toMatch(/pickle/);
    expect(await refusal(legacyCheckpoint(bytesOf(op, '0', good)))).toMatch(/pickle|storage/);
  });

  it.each<[string, Parameters<typeof tensor>[0]]>([
    ['a shape beyond the storage', { shape: [5] }],
    ['an offset beyond the storage', { offset: 1 }],
    ['strides beyond the storage', { shape: [2, 2], strides: [3, 1] }],
    ['a negative stride', { shape: [4], strides: [-1], offset: 3 }],
    ['a negative size', { shape: [-4] }],
    ['a negative offset', { shape: [1], offset: -1 }],
    ['fewer strides than sizes', { shape: [2, 2], strides: [1] }],
    ['sizes whose product is beyond 2^53', { shape: [2 ** 40, 2 ** 40], strides: [0, 0] }],
    ['strides whose product is beyond 2^53', { shape: [2, 2], strides: [2 ** 52, 2 ** 52] }],
    ['a storage that repeats itself a million times', { shape: [1e6, 4], strides: [0, 1] }],
    ['more axes than any tensor has', { shape: Array(65).fill(1) }],
    ['a fraction as size', { shape: [0.5] }],
  ])('a tensor with %s', async (_, view) => {
    expect(await refusal(checkpoint(dict({ a: tensor(view) })))).toMatch(/tensor/);
    expect(await refusal(legacyCheckpoint(dict({ a: tensor(view) })))).toMatch(/tensor/);
  });

  it('an empty tensor of a huge shape is empty', async () => {
    const shape = [...Array(40).fill(2 ** 50), 0];
    const file = await openWeights(checkpoint(dict({ a: tensor({ shape, strides: shape.map(() => 1) }) })));
    expect((await file.read('a')).data.length).toBe(0);
  });

  it('a shape that is changed after the tensor was made', async () => {
    const shape = bytesOf('](', int(2), 'e', 'q', 7);
    const made = reduce(
      global('torch._utils', '_rebuild_tensor_v2'),
      storage('0', 4),
      int(0),
      shape,
      tuple(int(1)),
    );
    const file = await openWeights(checkpoint(bytesOf(dict({ a: made }), 'h', 7, int(1e9), 'a', '0')));
    expect(await file.read('a')).toEqual({ shape: [2], data: new Float32Array([1, 2]) });
  });

  it('storages that are missing, or of another size than the pickle says', async () => {
    expect(await refusal(checkpoint(good, {}))).toMatch(/missing or has another size/);
    expect(await refusal(checkpoint(good, { 0: new Float32Array(5) }))).toMatch(/20 bytes/);
    expect(await refusal(checkpoint(dict({ a: tensor({ key: '../data.pkl' }) })))).toMatch(/missing/);
    expect(await refusal(legacyCheckpoint(good, {}))).toMatch(/missing/);
    expect(await refusal(legacyCheckpoint(good, { 0: new Float32Array(5) }))).toMatch(/another size/);
    expect(await refusal(legacyCheckpoint(good, { 1: new Float32Array(4) }))).toMatch(/do not fit/);
  });

  it('dictionaries and lists that hold themselves', async () => {
    const self = bytesOf('}', 'q', 1, text('me'), 'h', 1, 's', text('a'), tensor(), 's');
    expect(await refusal(checkpoint(self))).toMatch(/nested too deep/);
    const circle = bytesOf(']', 'q', 1, 'h', 1, 'a');
    const file = await openWeights(checkpoint(dict({ circle, model: good })));
    expect(Object.keys(file.metadata)).toEqual(['e3va.state_dict']);
  });

  it('lists of lists of lists that would be a billion when written out', async () => {
    let bomb = list(text('lol'));
    for (let i = 0; i < 30; i++) bomb = bytesOf('](', bomb, 'q', i, ...Array(9).fill(bytesOf('h', i)), 'e');
    const file = await openWeights(checkpoint(dict({ bomb, epoch: int(1), model: good })));
    expect(Object.keys(file.metadata)).toEqual(['epoch', 'e3va.state_dict']);
    let tree: Op = bytesOf('}', text('t'), tensor(), 's');
    for (let i = 0; i < 14; i++) {
      const again = 'abcdefghi'.split('').map((key) => bytesOf(text(key), 'h', i));
      tree = bytesOf('}(', text('0'), tree, 'q', i, ...again, 'u');
    }
    expect(await refusal(checkpoint(tree))).toMatch(/more than 1000000 values/);
  });

  it('one list that becomes a dictionary a hundred thousand times', async () => {
    const pairs = list(...Array.from({ length: 2000 }, (_, i) => tuple(int(i), none)));
    const call = bytesOf(global('collections', 'OrderedDict'), 'h', 9, 0x85, 'R', '0');
    const start = performance.now();
    const file = await openWeights(checkpoint(bytesOf(pairs, 'q', 9, '0', ...Array(1e5).fill(call), good)));
    expect(file.entries.size).toBe(1);
    expect(performance.now() - start).toBeLessThan(5000); // copies would be 2e8 items
  });

  it('nesting without end', async () => {
    const deep = bytesOf(']'.repeat(1e5), 'a'.repeat(1e5 - 1));
    const file = await openWeights(checkpoint(dict({ deep, model: good })));
    expect(Object.keys(file.metadata)).toEqual(['e3va.state_dict']);
    const calls = bytesOf(global('a', 'b'), ...Array(1e5).fill(bytesOf(')R')));
    expect(await refusal(checkpoint(calls))).toMatch(/something that is no class/);
    const asCallee = bytesOf(']'.repeat(1e5), 'a'.repeat(1e5 - 1), ')R');
    expect(await refusal(checkpoint(asCallee))).toMatch(/something that is no class/);
  });

  it('more steps than any checkpoint has', async () => {
    expect(await refusal(checkpoint(bytesOf('N0'.repeat(2_000_000), good)))).toMatch(
      /more than 4000000 steps/,
    );
  });

  it('cut short at every byte of both containers, and padded', async () => {
    for (const whole of [checkpoint(good), legacyCheckpoint(good)]) {
      for (let n = 0; n < whole.length; n++) await refusal(whole.subarray(0, n));
      await refusal(bytesOf(whole, 0));
    }
    await refusal(pickle(good)); // a storage outside of a file that has none
    expect(await refusal(bytesOf(pickle(dict({})), 0))).toMatch(/bytes behind/);
  });

  it('numbers with the most significant byte first', async () => {
    const big = { name: 'archive/byteorder', data: bytesOf('big') };
    const bytes = zip([{ name: 'archive/data.pkl', data: pickle(good) }, big]);
    expect(await refusal(bytes)).toMatch(/most significant byte first/);
  });
});

describe('zip files', () => {
  const data = bytesOf(new Float32Array([1, 2, 3, 4]));
  const file = (entry: Partial<EntryToWrite>, options = {}) =>
    zip(
      [
        { name: 'archive/data.pkl', data: pickle(good) },
        { name: 'archive/data/0', data, ...entry },
      ],
      options,
    );

  it('of every valid kind are read', async () => {
    for (const bytes of [
      file({}),
      file({ deflated: true }),
      file({}, { comment: 'a comment' }),
      file({ zip64: true }, { zip64: true }),
      file({ zip64: true }),
    ]) {
      const opened = await openWeights(bytes);
      expect([...(await opened.read('a')).data]).toEqual([1, 2, 3, 4]);
    }
  });

  it.each<[string, Partial<EntryToWrite>, RegExp]>([
    ['a wrong checksum', { lie: { crc: 5 } }, /checksum is wrong/],
    ['a wrong checksum of a deflated entry', { deflated: true, lie: { crc: 5 } }, /checksum is wrong/],
    ['a larger size than it has', { lie: { size: 1000, packed: 1000 } }, /overlaps another/],
    ['a size of its own', { lie: { size: 8 } }, /another size/],
    ['a deflated entry of fewer bytes', { deflated: true, lie: { size: 17 } }, /another size/],
    ['an unknown method', { lie: { method: 99 } }, /unknown method/],
    ['an encrypted entry', { lie: { flags: 1 } }, /encrypted/],
    ['a position beyond the file', { lie: { header: 2 ** 31 } }, /overlaps another or leaves the file/],
    ['the position of another entry', { lie: { header: 0 } }, /overlaps another/],
    ['the position of something else', { lie: { header: 20 } }, /overlaps another|contradicts/],
    ['a name that leads outside', { name: 'archive/../../etc/passwd' }, /leads outside/],
    ['an absolute name', { name: '/etc/passwd' }, /leads outside/],
    ['a name of Windows', { name: 'archive\\data\\0' }, /leads outside/],
    ['a name twice', { name: 'archive/data.pkl' }, /twice/],
    ['another name in its header', { localName: 'archive/data/1' }, /another name/],
    ['a longer name in its header', { localName: 'archive/data/0000' }, /another name|contradicts/],
    ['zip64 sizes beyond the file', { zip64: { size: 16n, packed: 2n ** 63n, header: 0n } }, /overlaps/],
    [
      'a zip64 position beyond the file',
      { zip64: { size: 16n, packed: 16n, header: 2n ** 60n } },
      /overlaps/,
    ],
  ])('%s', async (_, entry, message) => {
    expect(await refusal(file(entry))).toMatch(message);
  });

  it.each([1, 2, 3])('zip64 end records that lie, %i', async (kind) => {
    const bytes = file({}, { zip64: true });
    const view = new DataView(bytes.buffer);
    const end = bytes.length - 22;
    if (kind === 1) view.setBigUint64(end - 12, 2n ** 62n, true); // where the record stands
    if (kind === 2) view.setBigUint64(end - 20 - 56 + 32, 2n ** 62n, true); // entries
    if (kind === 3) view.setBigUint64(end - 20 - 56 + 48, 2n ** 62n, true); // where the directory stands
    expect(await refusal(bytes)).toMatch(/outside the file/);
  });

  it('a directory that claims more or fewer entries than it has', async () => {
    for (const count of [1, 3, 65535]) {
      const bytes = file({});
      new DataView(bytes.buffer).setUint16(bytes.length - 12, count, true);
      expect(await refusal(bytes)).toMatch(/directory/);
    }
  });

  it('a bomb: a thousand times as much as the file', async () => {
    const zeros = new Uint8Array(20_000_000);
    const bomb = file({ data: zeros, deflated: true });
    expect(bomb.length).toBeLessThan(30_000);
    const value = dict({ a: tensor({ count: 5_000_000 }) });
    const told = zip([
      { name: 'archive/data.pkl', data: pickle(value) },
      { name: 'archive/data/0', data: zeros, deflated: true },
    ]);
    expect(await refusal(told)).toMatch(/unpack to more/);
    const inPickle = zip([{ name: 'archive/data.pkl', data: zeros, deflated: true }]);
    expect(await refusal(inPickle)).toMatch(/unpack to more/);
  });

  it('a bomb that says it is small', async () => {
    const packed = deflateSync(new Uint8Array(20_000_000));
    const bytes = zip([
      { name: 'archive/data.pkl', data: pickle(good) },
      { name: 'archive/data/0', data: packed, lie: { method: 8, size: 16 } },
    ]);
    new DataView(bytes.buffer).setUint16(localMethod(bytes), 8, true);
    expect(await refusal(bytes)).toMatch(/more bytes than the 16/);
  });

  /** Where the second local header has its method. */
  function localMethod(bytes: Uint8Array): number {
    const text = Buffer.from(bytes).indexOf('archive/data/0');
    return text - 30 + 8;
  }
});

describe('numbers that are not finite', () => {
  it('are read, and refused by loadWeights', async () => {
    await tf.setBackend('cpu');
    const variable = { name: 'v', shape: [4] } as never;
    const bytes = checkpoint(good, { 0: new Float32Array([1, Number.NaN, 3, 4]) });
    const file = await openWeights(bytes);
    const load = loadWeights(file, [{ variable, source: asIs('a', [4]) }]);
    await expect(load).rejects.toThrow(/'a' holds numbers that are not finite/);
    await expect(load).rejects.toThrow(WeightsMismatchError);
  });
});

it('the fixtures are what they say', () => {
  const bytes = readFileSync(new URL('./fixtures/torch/attack.pth', import.meta.url));
  expect(bytes.includes('touch attacked')).toBe(true);
});

import { existsSync, readFileSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import { openWeights, type WeightFile, WeightFileError } from '../src/index.ts';
import { bytesOf } from './support/bytes.ts';
import {
  checkpoint,
  dict,
  global,
  int,
  legacyCheckpoint,
  list,
  none,
  pickle,
  reduce,
  storage,
  tensor,
  text,
  tuple,
} from './support/pickle-writer.ts';

const folder = new URL('./fixtures/torch/', import.meta.url);

interface Values {
  shape: number[];
  values: number[];
}

const read = (file: string) =>
  JSON.parse(readFileSync(new URL(file, folder), 'utf8')) as Record<string, Values>;

const open: WeightFile[] = [];

async function opened(name: string): Promise<WeightFile> {
  const file = await openWeights(new URL(name, folder));
  open.push(file);
  return file;
}

afterEach(async () => {
  for (const file of open.splice(0)) await file.close();
});

async function expectValues(file: WeightFile, expected: Record<string, Values>): Promise<void> {
  expect([...file.entries.keys()]).toEqual(Object.keys(expected));
  for (const [tensor, { shape, values }] of Object.entries(expected)) {
    const array = await file.read(tensor);
    expect(array.shape).toEqual(shape);
    expect([...array.data]).toEqual(values.map(Math.fround));
  }
}

describe('files that PyTorch wrote', () => {
  it.each(['views.pth', 'views_legacy.pth'])('%s: every view and type', async (name) => {
    const file = await openWeights(new URL(name, folder));
    const all = read('views.json');
    const expected = name === 'views.pth' ? all : without(all, /^(float8|uint16)/);
    expect(file.metadata).toEqual({ 'e3va.state_dict': 'model' });
    await expectValues(file, expected);
    await file.close();
    await expect(file.read('plain')).rejects.toThrow(/closed/);
  });

  it.each(['mmdet.pth', 'mmengine.pth', 'args.pth'])('%s: the weights among all else', async (name) => {
    const file = await openWeights(new URL(name, folder));
    await expectValues(file, read('weights.json'));
    expect(file.metadata.optimizer).toBeUndefined();
    await file.close();
  });

  it('what they say beside the weights', async () => {
    const mmdet = await opened('mmdet.pth');
    expect(JSON.parse(mmdet.metadata.meta!)).toEqual({
      epoch: 1,
      iter: 1e12,
      time: 'now',
      CLASSES: ['a', 'b'],
    });
    const mmengine = await opened('mmengine.pth');
    expect(JSON.parse(mmengine.metadata.meta!)).toEqual({
      epoch: 1,
      cfg: 'x = 1',
      seed: 3,
      dataset_meta: { classes: ['a', 'b'], palette: [[1, 2, 3]] },
    });
    const args = await opened('args.pth');
    expect(JSON.parse(args.metadata.args!)).toEqual({ lr: 0.5, name: 'run' });
  });

  it('arrays of NumPy, by rows and by columns', async () => {
    const file = await opened('numpy.pkl');
    await expectValues(file, {
      ...read('weights.json'),
      columns: { shape: [2, 3], values: [0, 1, 2, 3, 4, 5] },
    });
  });

  it.each([
    ['module.pth', /object of torch\.nn\.modules\.linear\.Linear, saved whole/],
    ['script.pth', /TorchScript/],
    ['quantized.pth', /tensor 'q' is made by torch\._utils\._rebuild_qtensor/],
    ['sparse.pth', /tensor 's' is made by torch\._utils\._rebuild_sparse_tensor/],
    ['attack.pth', /it asks for posix\.system/],
    ['attack_legacy.pth', /it asks for posix\.system/],
  ])('%s is refused', async (name, message) => {
    await expect(openWeights(new URL(name, folder))).rejects.toThrow(message);
    await expect(openWeights(new URL(name, folder))).rejects.toThrow(WeightFileError);
    expect(existsSync('attacked')).toBe(false);
  });
});

function without(all: Record<string, Values>, pattern: RegExp): Record<string, Values> {
  return Object.fromEntries(Object.entries(all).filter(([key]) => !pattern.test(key)));
}

describe('checkpoints by hand', () => {
  it.each([
    ['zip', checkpoint(dict({ a: tensor() }))],
    ['zip, deflated', checkpoint(dict({ a: tensor() }), undefined, { deflated: true })],
    ['legacy', legacyCheckpoint(dict({ a: tensor() }))],
  ])('%s', async (_, bytes) => {
    const file = await openWeights(bytes);
    expect([...file.entries]).toEqual([['a', { shape: [4], dtype: 'F32' }]]);
    expect(await file.read('a')).toEqual({ shape: [4], data: new Float32Array([1, 2, 3, 4]) });
    await expect(file.read('b')).rejects.toThrow(WeightFileError);
  });

  it('storages of every size of number, viewed transposed and with holes', async () => {
    const values = {
      DoubleStorage: new Float64Array([1, 2, 3, 4, 5, 6]),
      LongStorage: new BigInt64Array([1n, 2n, 3n, 4n, 5n, 6n]),
      IntStorage: new Int32Array([1, 2, 3, 4, 5, 6]),
      ShortStorage: new Int16Array([1, 2, 3, 4, 5, 6]),
      CharStorage: new Int8Array([1, 2, 3, 4, 5, 6]),
      ByteStorage: new Uint8Array([1, 2, 3, 4, 5, 6]),
    };
    const view = { count: 6, shape: [2, 2], strides: [1, 3], offset: 1 };
    const tensors = Object.keys(values).map((type) => [type, tensor({ ...view, key: type, type })]);
    const file = await openWeights(checkpoint(dict(Object.fromEntries(tensors)), values));
    for (const type of Object.keys(values)) expect([...(await file.read(type)).data]).toEqual([2, 5, 3, 6]);
  });

  it('an expanded view of few numbers', async () => {
    const view = { shape: [3, 4], strides: [0, 1] };
    const file = await openWeights(checkpoint(dict({ a: tensor(view) })));
    expect([...(await file.read('a')).data]).toEqual([1, 2, 3, 4, 1, 2, 3, 4, 1, 2, 3, 4]);
  });

  it('whole numbers beyond 32 bits and complex numbers are an error only when they are read', async () => {
    const tensors = {
      big: tensor({ key: '0', count: 1, type: 'LongStorage' }),
      complex: tensor({ key: '1', count: 1, type: 'ComplexFloatStorage' }),
      good: tensor({ key: '2', count: 1 }),
    };
    const file = await openWeights(
      checkpoint(dict(tensors), {
        0: new BigInt64Array([2n ** 40n]),
        1: new Float32Array(2),
        2: new Float32Array([7]),
      }),
    );
    expect(file.entries.get('complex')?.dtype).toBe('C64');
    await expect(file.read('big')).rejects.toThrow(/beyond 32 bits/);
    await expect(file.read('complex')).rejects.toThrow(/complex/);
    expect([...(await file.read('good')).data]).toEqual([7]);
  });

  it('float8 by its untyped storage', async () => {
    const value = reduce(
      global('torch._utils', '_rebuild_tensor_v3'),
      storage('0', 2, 'UntypedStorage'),
      int(0),
      tuple(int(2)),
      tuple(int(1)),
      bytesOf(0x89),
      dict({}),
      global('torch', 'float8_e4m3fn'),
    );
    const file = await openWeights(checkpoint(dict({ a: value }), { 0: new Uint8Array([0x38, 0xc0]) }));
    expect(file.entries.get('a')?.dtype).toBe('F8_E4M3');
    expect([...(await file.read('a')).data]).toEqual([1, -2]);
  });

  it.each(['state_dict', 'model', 'model_state_dict', 'module', 'teacher'])(
    'weights under %s',
    async (key) => {
      const file = await openWeights(
        checkpoint(dict({ epoch: int(3), [key]: dict({ 'module.a': tensor() }), student: none })),
      );
      expect([...file.entries.keys()]).toEqual(['a']); // what DataParallel put before is gone
      expect(file.metadata).toEqual({ epoch: '3', student: 'null', 'e3va.state_dict': key });
    },
  );

  it('nested dictionaries are joined by dots; a module. that not all names have stays', async () => {
    const nested = dict({ net: dict({ a: tensor() }), other: dict({ net: dict({ 'module.b': tensor() }) }) });
    const file = await openWeights(checkpoint(dict({ model: nested })));
    expect(file.metadata['e3va.state_dict']).toBe('model.net');
    const flat = await openWeights(checkpoint(dict({ 'module.a': tensor(), x: dict({ b: tensor() }) })));
    expect([...flat.entries.keys()]).toEqual(['module.a', 'x.b']);
  });

  it('arrays and scalars of NumPy, in a pickle of their own', async () => {
    const f4 = bytesOf(
      reduce(global('numpy', 'dtype'), text('f4'), int(0), int(1)),
      tuple(int(3), text('<'), none, none, none, int(-1), int(-1), int(0)),
      'b',
    );
    const array = (columnsFirst: number) =>
      bytesOf(
        reduce(global('numpy.core.multiarray', '_reconstruct'), global('numpy', 'ndarray'), tuple(int(0))),
        tuple(
          int(1),
          tuple(int(2), int(2)),
          f4,
          bytesOf(columnsFirst),
          bytesOf('C', 16, new Float32Array([1, 2, 3, 4])),
        ),
        'b',
      );
    const scalar = reduce(
      global('numpy.core.multiarray', 'scalar'),
      f4,
      bytesOf('C', 4, new Float32Array([0.5])),
    );
    const bytes = pickle(dict({ model: dict({ a: array(0x89), b: array(0x88) }), best: scalar }));
    const file = await openWeights(bytes);
    expect([...(await file.read('a')).data]).toEqual([1, 2, 3, 4]);
    expect([...(await file.read('b')).data]).toEqual([1, 3, 2, 4]);
    expect(file.metadata.best).toBe('0.5');
  });

  it('metadata as JSON; what has no JSON is left out', async () => {
    const foreign = reduce(global('mypackage.config', 'Settings'), text('x'));
    const space = bytesOf(reduce(global('argparse', 'Namespace')), dict({ lr: int(2) }), 'b');
    const meta = dict({
      CLASSES: tuple(text('a"b'), text('ä')),
      foreign,
      ['__proto__']: int(1),
      nan: bytesOf('G', [0x7f, 0xf8, 0, 0, 0, 0, 0, 0]),
    });
    const file = await openWeights(
      checkpoint(
        dict({ meta, args: space, foreign, model: dict({ a: tensor() }), deep: list(list(text('x'))) }),
      ),
    );
    const { meta: json, args, deep } = file.metadata;
    expect(JSON.parse(json!)).toMatchObject({ CLASSES: ['a"b', 'ä'], nan: null });
    expect(args).toBe('{"lr":2}');
    expect(deep).toBe('[["x"]]');
    expect(Object.keys(file.metadata)).not.toContain('foreign');
  });

  it('metadata beyond the bound is left out, the rest is not', async () => {
    const long = text('x'.repeat(2_000_000));
    const file = await openWeights(checkpoint(dict({ long, epoch: int(1), model: dict({ a: tensor() }) })));
    expect(Object.keys(file.metadata)).toEqual(['epoch', 'e3va.state_dict']);
  });
});

import { NumpyArray, NumpyType, numpyScalar } from './numpy.ts';
import { PickleError } from './pickle-input.ts';
import { PyDict, PyGlobal, PyObject } from './python-values.ts';
import type { PickleWorld } from './read-pickle.ts';
import { refuse } from './refused-globals.ts';
import { TorchStorage, TorchTensor } from './torch-tensor.ts';

const storages: Readonly<Record<string, string>> = {
  FloatStorage: 'F32',
  DoubleStorage: 'F64',
  HalfStorage: 'F16',
  BFloat16Storage: 'BF16',
  LongStorage: 'I64',
  IntStorage: 'I32',
  ShortStorage: 'I16',
  CharStorage: 'I8',
  ByteStorage: 'U8',
  BoolStorage: 'BOOL',
  ComplexFloatStorage: 'C64',
  ComplexDoubleStorage: 'C128',
  UntypedStorage: 'U8',
};

const dtypes: Readonly<Record<string, string>> = {
  float32: 'F32',
  float64: 'F64',
  float16: 'F16',
  bfloat16: 'BF16',
  float8_e4m3fn: 'F8_E4M3',
  float8_e5m2: 'F8_E5M2',
  int64: 'I64',
  int32: 'I32',
  int16: 'I16',
  int8: 'I8',
  uint64: 'U64',
  uint32: 'U32',
  uint16: 'U16',
  uint8: 'U8',
  bool: 'BOOL',
  complex64: 'C64',
  complex128: 'C128',
};

type Call = (args: readonly unknown[]) => unknown;

/** What is answered when a pickle calls something; everything else becomes a {@link PyObject}. */
const calls = new Map<string, Call>([
  ['torch._utils._rebuild_tensor', tensor],
  ['torch._utils._rebuild_tensor_v2', tensor],
  ['torch._utils._rebuild_tensor_v3', tensorOfType],
  ['torch._utils._rebuild_parameter', first],
  ['torch._utils._rebuild_parameter_with_state', first],
  ['torch._tensor._rebuild_from_type_v2', again],
  ['torch._tensor._rebuild_from_type', again],
  ['torch.Size', ([sizes]) => sizes ?? []],
  ['collections.OrderedDict', dictionary],
  ['collections.defaultdict', () => new PyDict()],
  ['_codecs.encode', encoded],
  ['copyreg._reconstructor', ([type]) => new PyObject(type, [])],
  ['copy_reg._reconstructor', ([type]) => new PyObject(type, [])],
  ...['builtins', '__builtin__'].flatMap((module) =>
    ['set', 'frozenset', 'list', 'tuple'].map((type): [string, Call] => [
      `${module}.${type}`,
      ([items]) => (Array.isArray(items) ? items : []),
    ]),
  ),
  ['numpy.dtype', ([code]) => new NumpyType(code)],
  ...['numpy.core.multiarray', 'numpy._core.multiarray'].flatMap((module): [string, Call][] => [
    [`${module}._reconstruct`, () => new NumpyArray()],
    [`${module}.scalar`, ([type, bytes]) => numpyScalar(type, bytes)],
  ]),
]);

/** What names, calls and storages mean in the pickles of PyTorch. */
export const torchWorld: PickleWorld = {
  admit: refuse,
  call: (callee, args) => calls.get(String(callee))?.(args),
  build(target, state) {
    // the state of dictionaries (versions of layers) and tensors is of no use here
    if (target instanceof NumpyType || target instanceof NumpyArray) target.build(state);
  },
  persistent: storage,
};

/** `('storage', type, key, device, count)`; very old files have `(key, first, count)` of a part of it behind. */
function storage(id: unknown): TorchStorage | PyObject {
  if (!Array.isArray(id) || id[0] !== 'storage') throw new PickleError('a reference outside is no storage');
  const [, type, key, , count, part] = id;
  if (!(type instanceof PyGlobal) || typeof key !== 'string' || !Number.isSafeInteger(count) || count < 0) {
    throw new PickleError('a storage has no valid type, key or size');
  }
  const known = /^torch(\.storage|\.cuda)?$/.test(type.module) && Object.hasOwn(storages, type.name);
  if (!known) return new PyObject(type, [unknownStorage]); // quantised ones
  const start = Array.isArray(part) ? part[1] : 0;
  if (!Number.isSafeInteger(start) || start < 0)
    throw new PickleError('a part of a storage has no valid start');
  return new TorchStorage(storages[type.name]!, key, count, start);
}

const unknownStorage = new TorchStorage('U8', '', 0);

function tensor([base, offset, shape, strides]: readonly unknown[]): unknown {
  if (base instanceof PyObject) return undefined;
  if (!(base instanceof TorchStorage)) throw new PickleError('a tensor has no storage');
  return new TorchTensor(base, offset, shape, strides);
}

function tensorOfType([base, offset, shape, strides, , , type]: readonly unknown[]): unknown {
  if (base instanceof PyObject) return undefined;
  if (!(base instanceof TorchStorage)) throw new PickleError('a tensor has no storage');
  const known = type instanceof PyGlobal && type.module === 'torch' && Object.hasOwn(dtypes, type.name);
  return known ? new TorchTensor(base, offset, shape, strides, dtypes[type.name]) : undefined;
}

/** A parameter is its tensor. */
function first([value]: readonly unknown[]): unknown {
  return value;
}

/** Subclasses of tensors: the function that makes the tensor, the class, the function's arguments, the state. */
function again([callee, , args]: readonly unknown[]): unknown {
  if (!(callee instanceof PyGlobal) || !Array.isArray(args)) return undefined;
  return callee.module === 'torch._utils' ? calls.get(String(callee))?.(args) : undefined;
}

/** The dictionaries of lists of pairs: a pickle that names one list a million times must not copy it as often. */
const made = new WeakMap<unknown[], PyDict>();

function dictionary([pairs]: readonly unknown[]): PyDict {
  if (!Array.isArray(pairs)) return new PyDict();
  const before = made.get(pairs);
  if (before) return before;
  const dict = new PyDict();
  made.set(pairs, dict);
  for (const pair of pairs) {
    if (!Array.isArray(pair) || pair.length !== 2)
      throw new PickleError('a dictionary has an item that is no pair');
    dict.set(pair[0], pair[1]);
  }
  return dict;
}

/** Bytes as older protocols write them; the text stays, and becomes bytes where an array is read. */
function encoded([text, encoding]: readonly unknown[]): unknown {
  return encoding === 'latin1' && typeof text === 'string' ? text : undefined;
}

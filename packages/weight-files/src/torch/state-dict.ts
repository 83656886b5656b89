import { NumpyArray } from './numpy.ts';
import { PickleError } from './pickle-input.ts';
import { asDict, calleeOf, type PyDict, PyObject } from './python-values.ts';
import { TorchStorage, TorchTensor } from './torch-tensor.ts';

/** Where training programs put the weights, in the order in which they are looked for. */
const known = [
  'state_dict',
  'model',
  'model_state_dict',
  'module',
  'net',
  'teacher',
  'student',
  'params',
  'weights',
];

/** Dictionaries deeper than this are not looked into. */
const maxDepth = 16;

/** Most values that are looked at: shared dictionaries could be nested in each other without end. */
const maxVisits = 1_000_000;

/** The tensors of a checkpoint by name, and the key of the checkpoint that they were found under, if any. */
export interface StateDict {
  tensors: Map<string, TorchTensor>;
  key: string | undefined;
}

/**
 * Finds the weights in what a checkpoint holds: at the top, or under one of the usual keys. Names of nested dictionaries are joined
 * by dots; a `module.` before all of them (left by DataParallel) is dropped.
 *
 * @throws {@link PickleError} if there are none, or one of them is of a kind that is not known.
 */
export function findStateDict(top: unknown): StateDict {
  let dict = asDict(top);
  const path: string[] = [];
  for (let level = 0; level < 3; level++) {
    const key = known.find((k) => holdsTensors(asDict(dict?.get(k))));
    if (key === undefined) break;
    dict = asDict(dict!.get(key));
    path.push(key);
  }
  const tensors = new Map<string, TorchTensor>();
  if (dict) new Collector(tensors).collect(dict, '', 0);
  if (tensors.size === 0) throw new PickleError(`it holds no state dict, but ${contents(top)}`);
  return { tensors: withoutModule(tensors), key: path.length > 0 ? path.join('.') : undefined };
}

/** Whether a dictionary, or one in it, has a tensor. */
export function holdsTensors(dict: PyDict | undefined, depth = 0, left = { visits: 10_000 }): boolean {
  if (!dict || depth > maxDepth) return false;
  for (const [, value] of dict.entries()) {
    if (left.visits-- <= 0) return false;
    if (value instanceof TorchTensor || value instanceof NumpyArray) return true;
    if (holdsTensors(asDict(value), depth + 1, left)) return true;
  }
  return false;
}

class Collector {
  readonly #tensors: Map<string, TorchTensor>;
  readonly #left = { visits: maxVisits };

  constructor(tensors: Map<string, TorchTensor>) {
    this.#tensors = tensors;
  }

  collect(dict: PyDict, prefix: string, depth: number): void {
    if (depth > maxDepth) throw new PickleError('the dictionaries of its weights are nested too deep');
    for (const [key, value] of dict.entries()) {
      if (this.#left.visits-- <= 0) throw new PickleError(`more than ${maxVisits} values beside its weights`);
      if (typeof key !== 'string' && typeof key !== 'number') continue;
      this.#take(`${prefix}${key}`, value, depth);
    }
  }

  #take(name: string, value: unknown, depth: number): void {
    if (value instanceof PyObject && mentionsStorage(value, this.#left)) {
      throw new PickleError(
        `tensor '${name.slice(0, 200)}' is made by ${calleeOf(value)}, which is not known here`,
      );
    }
    const inner = asDict(value);
    if (inner) {
      this.collect(inner, `${name}.`, depth + 1);
      return;
    }
    const tensor = value instanceof NumpyArray ? value.tensor : value;
    if (!(tensor instanceof TorchTensor)) return;
    if (this.#tensors.has(name)) throw new PickleError(`two tensors are called '${name.slice(0, 200)}'`);
    this.#tensors.set(name, tensor);
  }
}

/** Whether an unknown call is given a tensor or a storage, directly or by another such call: then it is a tensor itself. */
function mentionsStorage(object: PyObject, left: { visits: number }, depth = 0): boolean {
  if (depth > 4 || left.visits-- <= 0) return false;
  const args = [...object.args.slice(0, 16), object.state].flatMap((arg) =>
    Array.isArray(arg) ? arg.slice(0, 16) : [arg],
  );
  return args.some(
    (arg) =>
      arg instanceof TorchStorage ||
      arg instanceof TorchTensor ||
      (arg instanceof PyObject && mentionsStorage(arg, left, depth + 1)),
  );
}

function withoutModule(tensors: Map<string, TorchTensor>): Map<string, TorchTensor> {
  const prefix = 'module.';
  if (![...tensors.keys()].every((name) => name.startsWith(prefix))) return tensors;
  return new Map([...tensors].map(([name, tensor]) => [name.slice(prefix.length), tensor]));
}

function contents(top: unknown): string {
  if (top instanceof PyObject)
    return `an object of ${calleeOf(top)}, saved whole: save its state_dict() instead`;
  const dict = asDict(top);
  if (!dict) return Array.isArray(top) ? 'a list' : `a ${top === null ? 'None' : typeof top}`;
  if (dict.size === 0) return 'an empty dictionary';
  const keys = [...dict.entries()]
    .slice(0, 8)
    .map(([key]) => (typeof key === 'string' ? key.slice(0, 60) : '…'));
  return `a dictionary with ${keys.join(', ')}${dict.size > 8 ? ', …' : ''}`;
}

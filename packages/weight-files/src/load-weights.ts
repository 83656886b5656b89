import type { TensorData } from '@e3va/adapter-core';
import { filledTensor } from '@e3va/highway-grad';
import type * as tf from '@tensorflow/tfjs-core';
import type { LayerVariable } from '@tensorflow/tfjs-layers';
import { WeightsMismatchError } from './errors.ts';
import { Scratch, type WeightFile } from './weight-file.ts';
import type { WeightPart, WeightSource } from './weight-source.ts';

/** A weight of a model and where its value comes from. */
export interface WeightTarget {
  variable: LayerVariable;
  source: WeightSource;
}

/** What became of the names of a weight file and of a model; names are those of the file. */
export interface WeightsReport {
  /** Loaded into the model. */
  loaded: string[];
  /** Of the loaded ones, those that were resized: position tables of another window or image size. */
  resized: string[];
  /** Asked for by the model but not in the file, or there with another shape. */
  missing: string[];
  /** In the file but not asked for: heads, buffers, stages that the model does not have. */
  skipped: string[];
}

/** Options of {@link loadWeights}. */
export interface LoadWeightsOptions {
  /** Whether a wrong shape, a missing weight or one without a place is an error; default true. */
  strict?: boolean;
  /**
   * Which of the file's names that nothing asks for are an error all the same, if `strict`: weights of the part of the network
   * that the model claims to be. Default none.
   */
  mustHavePlace?: (name: string) => boolean;
  /**
   * Whether the model was just made and is thrown away on an error: each weight is then written as it is read, and no more than
   * one tensor is held beside the model. Otherwise all are written at the end, so that nothing is changed on an error.
   */
  fresh?: boolean;
}

/**
 * Loads weights of a file into weights of a model: names and shapes are checked before anything is read.
 *
 * @param file The open file; it stays open.
 * @param targets Weights and where they come from.
 * @returns The names loaded, resized, missing and skipped.
 * @throws {@link WeightsMismatchError} that lists names, if `strict` and something does not fit; or if a value is not finite.
 * {@link WeightFileError} if the file is damaged. Without `fresh`, the model is then unchanged.
 *
 * @example
 * ```ts
 * import * as tf from '@tensorflow/tfjs-core';
 * import { layers, sequential } from '@tensorflow/tfjs-layers';
 * import '@tensorflow/tfjs-backend-cpu';
 * import { asIs, linear, loadWeights, memoryWeights } from '@e3va/weight-files';
 *
 * await tf.setBackend('cpu');
 * const model = sequential({ layers: [layers.dense({ units: 2, inputShape: [3] })] });
 * const file = memoryWeights({
 *   'fc.weight': { shape: [2, 3], data: new Float32Array([1, 2, 3, 4, 5, 6]) },
 *   'fc.bias': { shape: [2], data: new Float32Array(2) },
 * });
 * const [kernel, bias] = model.weights;
 * await loadWeights(file, [
 *   { variable: kernel!, source: linear('fc.weight', [3, 2]) },
 *   { variable: bias!, source: asIs('fc.bias', [2]) },
 * ]);
 * console.log(await model.getWeights()[0]!.array()); // [[1, 4], [2, 5], [3, 6]]
 * ```
 */
export async function loadWeights(
  file: WeightFile,
  targets: readonly WeightTarget[],
  { strict = true, mustHavePlace = () => false, fresh = false }: LoadWeightsOptions = {},
): Promise<WeightsReport> {
  const asked = new Set(targets.flatMap(({ source }) => source.parts.map(({ name }) => name)));
  const skipped = [...file.entries.keys()].filter((name) => !asked.has(name));
  const fates = targets.map((target) => ({
    ...target,
    unfit: target.source.parts.filter((p) => !fits(file, target.source, p)),
  }));
  if (strict) refuse(file, fates, skipped.filter(mustHavePlace));

  const late: [LayerVariable, tf.Tensor][] = [];
  const report: WeightsReport = { loaded: [], resized: [], missing: [], skipped };
  const values = readAhead(
    file,
    fates.filter(({ unfit }) => unfit.length === 0).map(({ source }) => source),
  );
  try {
    for (const { variable, source, unfit } of fates) {
      if (unfit.length === 0) {
        report.loaded.push(...source.parts.map(({ name }) => name));
        report.resized.push(...source.parts.filter((part) => !sameShape(file, part)).map(({ name }) => name));
      } else report.missing.push(...unfit.map(({ name }) => name));
      const arrays = unfit.length === 0 ? (await values.next()).value : undefined;
      const value = source.otherwise;
      if (!arrays && value === undefined) continue;
      const tensor = filledTensor(variable.shape as number[], (memory) => {
        if (arrays) convert(file, source, arrays, memory);
        else memory.fill(value!);
      });
      if (fresh) write(variable, tensor);
      else late.push([variable, tensor]);
    }
    for (const [variable, tensor] of late.splice(0)) write(variable, tensor);
  } finally {
    await values.return(undefined);
    for (const [, tensor] of late) tensor.dispose();
  }
  return report;
}

function write(variable: LayerVariable, tensor: tf.Tensor): void {
  variable.write(tensor);
  tensor.dispose();
}

/** The arrays of weights, one weight after the other; while one is worked on, those of the next are read. */
async function* readAhead(
  file: WeightFile,
  sources: readonly WeightSource[],
): AsyncGenerator<readonly TensorData[], undefined> {
  const memory: Scratch[][] = [[], []];
  const read = (i: number) => {
    const source = sources[i];
    const arrays = source ? readParts(file, source, memory[i % 2]!) : Promise.resolve([]);
    arrays.catch(() => {}); // it is awaited in its turn
    return arrays;
  };
  let next = read(0);
  try {
    for (const i of sources.keys()) {
      const arrays = await next;
      next = read(i + 1);
      yield arrays;
    }
  } finally {
    await next.catch(() => {});
  }
  return undefined;
}

/** The arrays of one weight, in memory that is used again for the weight after the next. */
async function readParts(file: WeightFile, source: WeightSource, memory: Scratch[]): Promise<TensorData[]> {
  const arrays: TensorData[] = [];
  for (const [i, { name }] of source.parts.entries()) {
    memory[i] ??= new Scratch();
    arrays.push(await file.read(name, memory[i]));
  }
  return arrays;
}

/** Checks the arrays of a weight and writes its values into `memory`. */
function convert(
  file: WeightFile,
  source: WeightSource,
  found: readonly TensorData[],
  memory: Float32Array,
): void {
  const arrays = source.parts.map((part, i) => {
    checkFinite(file, part.name, found[i]!);
    return sameShape(file, part)
      ? found[i]!
      : { shape: [...part.shape], data: source.resize!.apply(found[i]!) };
  });
  const values = source.convert ? source.convert(arrays, memory) : arrays[0]!.data;
  if (values !== memory) memory.set(values);
}

function checkFinite(file: WeightFile, name: string, { data }: TensorData): void {
  // 0 as long as all numbers are finite; several sums, since each addition waits for the one before
  let a = 0;
  let b = 0;
  let c = 0;
  let d = 0;
  const whole = data.length - (data.length % 4);
  for (let i = 0; i < whole; i += 4) {
    a += data[i]! * 0;
    b += data[i + 1]! * 0;
    c += data[i + 2]! * 0;
    d += data[i + 3]! * 0;
  }
  for (let i = whole; i < data.length; i++) a += data[i]! * 0;
  if (a + b + c + d === 0) return;
  const bad = data.findIndex((value) => !Number.isFinite(value));
  throw new WeightsMismatchError({
    what: `${file.name}: tensor '${name}' holds numbers that are not finite`,
    received: `${data[bad]} at position ${bad} of ${data.length}`,
    fix: 'the training that made the file diverged, or the file is damaged: take another checkpoint',
  });
}

function sameShape(file: WeightFile, { name, shape }: WeightPart): boolean {
  return file.entries.get(name)?.shape.join() === shape.join();
}

function fits(file: WeightFile, source: WeightSource, part: WeightPart): boolean {
  const entry = file.entries.get(part.name);
  if (!entry || sameShape(file, part)) return !!entry;
  return source.resize?.accepts(entry.shape) ?? false;
}

interface Fate extends WeightTarget {
  unfit: WeightPart[];
}

/** Throws if something is missing, misshapen or without a place. */
function refuse(file: WeightFile, fates: readonly Fate[], homeless: readonly string[]): void {
  const parts = fates.flatMap(({ source, unfit }) =>
    unfit.map((part) => ({ ...part, optional: source.otherwise !== undefined })),
  );
  const absent = parts.filter(({ name, optional }) => !file.entries.has(name) && !optional);
  const misshapen = parts.filter(({ name }) => file.entries.has(name));
  const problems = [
    list(
      'missing',
      absent.map(({ name }) => name),
    ),
    list(
      'of another shape',
      misshapen.map(({ name, shape }) => `${name} [${file.entries.get(name)!.shape}] instead of [${shape}]`),
    ),
    list('without a place in the model', homeless),
  ].filter((text) => text !== '');
  if (problems.length === 0) return;
  throw new WeightsMismatchError({
    what: `the weights of ${file.name} do not fit the model`,
    received: problems.join('; '),
    fix: 'build the model with the configuration of the file, or pass strict: false to load what fits',
  });
}

function list(kind: string, names: readonly string[]): string {
  if (names.length === 0) return '';
  const shown = names.slice(0, 8).join(', ');
  return `${names.length} ${kind}: ${shown}${names.length > 8 ? ', …' : ''}`;
}

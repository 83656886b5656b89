import * as tf from '@tensorflow/tfjs-core';
import type { LayersModel, LayerVariable } from '@tensorflow/tfjs-layers';
import { SwinWeightsError } from '../errors.ts';
import { isDispensable, isOutNorm, prefixOf, sourceOf, toOurLayout, type WeightSource } from './naming.ts';

/** One array of a weight file; `decodeSafetensors` of `@e3va/adapter-core` gives maps of them. */
export interface WeightArray {
  shape: number[];
  data: Float32Array | Int32Array | Uint8Array;
}

/** What became of the names of a weight file and of a model; names are those of the file. */
export interface SwinWeightsReport {
  /** Loaded into the model. */
  loaded: string[];
  /** Asked for by the model but not in the file, or there with another shape. */
  missing: string[];
  /** In the file but not asked for: heads, buffers, stages that the model does not have. */
  skipped: string[];
}

/** Options of {@link loadSwinWeights}. */
export interface LoadSwinWeightsOptions {
  /** Whether a wrong shape, or a missing weight other than an out-norm, is an error; default true. */
  strict?: boolean;
}

interface Target {
  variable: LayerVariable;
  source: WeightSource;
  found?: WeightArray;
}

/**
 * Loads weights under Microsoft's names into a model of {@link swin}.
 *
 * Nothing is changed if an error is thrown. Out-norms that the file lacks become the identity (scale 1, offset 0).
 * Heads are skipped, and so are the prefix `backbone.` and whatever lies outside it.
 *
 * @param model A model of `swin`, or one that holds its layers.
 * @param tensors The file's arrays by name: linear [out, in], patch convolution [out, 3, patch, patch].
 * @returns The names loaded, missing and skipped.
 * @throws {@link SwinWeightsError} that lists names, if `strict` and something does not fit: a missing weight, a wrong
 * shape, or a weight of the backbone that the model has no place for (another depth, another kind of Swin).
 */
export function loadSwinWeights(
  model: LayersModel,
  tensors: ReadonlyMap<string, WeightArray>,
  { strict = true }: LoadSwinWeightsOptions = {},
): SwinWeightsReport {
  const prefix = prefixOf(tensors.keys());
  const targets = targetsOf(model).map((target) => ({
    ...target,
    found: tensors.get(prefix + target.source.name),
  }));
  const fits = ({ variable, source, found }: Target) => !!found && sameShape(variable, source, found);
  const names = (list: Target[]) => list.map(({ source }) => prefix + source.name);
  const loaded = targets.filter(fits);
  const wanted = new Set(names(targets));
  const rest = [...tensors.keys()].filter((name) => !wanted.has(name));
  if (strict)
    refuse(
      model,
      targets,
      rest.filter((name) => name.startsWith(prefix)).map((name) => name.slice(prefix.length)),
    );
  for (const { variable, source, found } of loaded) assign(variable, source, found!);
  const missing = targets.filter((target) => !fits(target));
  for (const { variable, source } of missing) if (isOutNorm(source.name)) resetNorm(variable, source);
  return { loaded: names(loaded), missing: names(missing), skipped: rest };
}

function targetsOf(model: LayersModel): Target[] {
  return model.layers.flatMap((layer) =>
    layer.weights.flatMap((variable) => {
      const source = sourceOf(variable.originalName);
      return source ? [{ variable, source }] : [];
    }),
  );
}

function sameShape(variable: LayerVariable, source: WeightSource, found: WeightArray): boolean {
  return found.shape.join() === fileShape(variable, source).join();
}

/** The shape that the file must have for a weight of ours. */
function fileShape(variable: LayerVariable, { layout }: WeightSource): number[] {
  const shape = variable.shape as number[];
  if (layout === 'as-is') return shape;
  const [size, out] = shape as [number, number];
  const side = Math.sqrt(size / 3);
  return layout === 'linear' ? [out, size] : [out, 3, side, side];
}

/** Throws if something is missing, misshapen or without a place. */
function refuse(model: LayersModel, targets: Target[], rest: string[]): void {
  const missing = targets.filter(({ source, found }) => !found && !isOutNorm(source.name));
  const misshapen = targets.filter((t) => t.found && !sameShape(t.variable, t.source, t.found));
  const homeless = rest.filter((name) => !isDispensable(name) && hasPlaceIn(model, name));
  const problems = [
    describe(
      'missing',
      missing.map(({ source }) => source.name),
    ),
    describe(
      'of another shape',
      misshapen.map(
        (t) => `${t.source.name} [${t.found!.shape}] instead of [${fileShape(t.variable, t.source)}]`,
      ),
    ),
    describe('without a place in the model', homeless),
  ].filter((text) => text !== '');
  if (problems.length === 0) return;
  throw new SwinWeightsError({
    what: 'the weights do not fit the model',
    received: problems.join('; '),
    fix: 'build the model with the configuration of the file, or pass strict: false to load what fits',
  });
}

/** Whether a name lies in a part of the network that the model has: the embedding, or one of its stages. */
function hasPlaceIn(model: LayersModel, name: string): boolean {
  const block = /^layers\.(\d+)\.blocks\./.exec(name);
  if (block) return model.layers.some((layer) => layer.name.startsWith(`stages.${block[1]}.blocks.`));
  return /^(patch_embed\.|absolute_pos_embed)/.test(name);
}

function describe(kind: string, names: string[]): string {
  if (names.length === 0) return '';
  const shown = names.slice(0, 8).join(', ');
  return `${names.length} ${kind}: ${shown}${names.length > 8 ? ', …' : ''}`;
}

function assign(variable: LayerVariable, source: WeightSource, found: WeightArray): void {
  const ours = toOurLayout(new Float32Array(found.data), source.layout, found.shape);
  tf.tidy(() => {
    variable.write(tf.tensor(ours.data, ours.shape));
  });
}

function resetNorm(variable: LayerVariable, source: WeightSource): void {
  const shape = variable.shape as number[];
  tf.tidy(() => {
    variable.write(source.name.endsWith('.weight') ? tf.ones(shape) : tf.zeros(shape));
  });
}

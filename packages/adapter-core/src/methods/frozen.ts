import { input, type LayersModel, model, type SymbolicTensor } from '@tensorflow/tfjs-layers';
import type { Layer } from '../copy-layer.ts';
import { BaseLayer } from '../layers/base-layer.ts';
import type { Method, Split } from './method.ts';
import { applyOutNorm, baseLevels } from './out-norms.ts';

/** Options of {@link frozen}. */
export interface FrozenOptions {
  /** Indices of the base's outputs that make the pyramid; all by default. */
  levels?: number[];
  /** Whether the normalisation in front of each output is trained; `trainable` by default. */
  outNorms?: 'trainable' | 'frozen';
}

/**
 * The method `frozen`: the base is a fixed feature extractor; only the out-norms, where the base has some, are
 * trained (and whatever head stands behind).
 *
 * @example
 * ```ts
 * import { frozen } from '@e3va/adapter-core';
 *
 * console.log(frozen().config); // { outNorms: 'trainable' }
 * ```
 */
export function frozen(options: FrozenOptions = {}): Method {
  const { levels, outNorms = 'trainable' } = options;
  const split = (base: LayersModel): Split => {
    const chosen = baseLevels(base, levels);
    const inputs = chosen.map(({ stream }, i) => input({ shape: stream.shape.slice(1), name: `stream${i}` }));
    const outputs = chosen.map((level, i) => applyOutNorm(level, inputs[i]!, outNorms === 'trainable'));
    return {
      frozenOutputs: chosen.map(({ stream }) => stream),
      highway: model({ inputs, outputs, name: 'highway' }),
      levels: chosen.map(({ index }) => index),
      taps: new Map(),
      replaced: new Map(chosen.flatMap(({ norm }, i) => (norm ? [[norm.name, layerOf(outputs[i]!)]] : []))),
    };
  };
  const wrap = (layer: Layer) => new BaseLayer({ layer });
  return { name: 'frozen', config: { outNorms, ...(levels && { levels }) }, split, wrap };
}

const layerOf = ({ sourceLayer }: SymbolicTensor) => sourceLayer as BaseLayer;

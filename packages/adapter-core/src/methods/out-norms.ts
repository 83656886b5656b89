import type { LayersModel, SymbolicTensor } from '@tensorflow/tfjs-layers';
import { applyLayer, type Layer } from '../copy-layer.ts';
import { isNorm, nodeOf } from '../graph.ts';
import { BaseLayer } from '../layers/base-layer.ts';

/** An output of a base model: the map itself, and the normalisation that makes it from the stream, if one does. */
export interface BaseLevel {
  /** Index among the base's outputs. */
  index: number;
  output: SymbolicTensor;
  /** What the out-norm reads; the output itself where there is no out-norm. */
  stream: SymbolicTensor;
  norm: Layer | null;
}

/**
 * The chosen outputs of a base, with their out-norms taken off. A batch normalisation behind a convolution is part of
 * that convolution, and no out-norm.
 */
export function baseLevels(base: LayersModel, levels?: readonly number[]): BaseLevel[] {
  return (levels ?? base.outputs.map((_, i) => i)).map((index) => {
    const output = base.outputs[index]!;
    const { layer, inputs } = nodeOf(output);
    const norm =
      isNorm(layer) && inputs.length === 1 && !isPartOfConvolution(layer, inputs[0]!) ? layer : null;
    return { index, output, norm, stream: norm ? inputs[0]! : output };
  });
}

const isPartOfConvolution = (norm: Layer, read: SymbolicTensor) =>
  norm.getClassName() === 'BatchNormalization' && /conv/i.test(nodeOf(read).layer.getClassName());

/** Puts a copy of a level's out-norm, if it has one, on the highway's stream. */
export function applyOutNorm(
  { norm }: BaseLevel,
  stream: SymbolicTensor,
  trainable: boolean,
): SymbolicTensor {
  if (!norm) return stream;
  const trained = trainable ? normWeights : [];
  return applyLayer(new BaseLayer({ name: `highway.${norm.name}`, layer: norm, trained }), [stream])[0]!;
}

/** The weights of a normalisation that are trained; moving statistics are not among them. */
export const normWeights = ['gamma', 'beta'];

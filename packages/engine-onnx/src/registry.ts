import type { Converter } from './converter.ts';
import { backboneConverters } from './converters/backbones.ts';
import { convConverters } from './converters/conv.ts';
import { denseConverters } from './converters/dense.ts';
import { headConverters } from './converters/heads.ts';
import { mergeConverters } from './converters/merge.ts';
import { normConverters } from './converters/norm.ts';
import { shapeConverters } from './converters/shape.ts';
import { swinConverters } from './converters/swin.ts';
import { windowConverters } from './converters/windows.ts';

/** Converters that come with the package, by class. */
export const builtIn: Record<string, Converter> = {
  ...backboneConverters,
  ...convConverters,
  ...denseConverters,
  ...headConverters,
  ...mergeConverters,
  ...normConverters,
  ...shapeConverters,
  ...swinConverters,
  ...windowConverters,
};

const registered = new Map<string, Converter>();

/**
 * Teaches `toOnnx` a class of layers, or another way to write one that it knows.
 *
 * @param className The layer's `getClassName()`.
 * @param converter What writes it.
 *
 * @example
 * ```ts
 * import * as tf from '@tensorflow/tfjs-core';
 * import { layers, sequential } from '@tensorflow/tfjs-layers';
 * import '@tensorflow/tfjs-backend-cpu';
 * import { registerConverter, toOnnx } from '@e3va/engine-onnx';
 *
 * class Square extends layers.Layer {
 *   static className = 'Square';
 *   override call(inputs: tf.Tensor | tf.Tensor[]) {
 *     return tf.square([inputs].flat()[0]!);
 *   }
 * }
 * registerConverter('Square', (_layer, [x], graph) => graph.map(x!, (tensor) => graph.node('Mul', [tensor, tensor])));
 *
 * await tf.setBackend('cpu');
 * const model = sequential({ layers: [layers.dense({ units: 2, inputShape: [3] }), new Square({})] });
 * console.log((await toOnnx(model)).length); // bytes of a file that ONNX Runtime runs
 * ```
 */
export function registerConverter(className: string, converter: Converter): void {
  registered.set(className, converter);
}

/** The converter of a class of layers. */
export const converterOf = (className: string): Converter | undefined =>
  registered.get(className) ?? (Object.hasOwn(builtIn, className) ? builtIn[className] : undefined);

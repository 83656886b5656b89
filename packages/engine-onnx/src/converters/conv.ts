import type { Layer } from '@e3va/adapter-core';
import { type Converter, configOf, neededWeight, shapeBy, unsupported, weightOf } from '../converter.ts';
import { permuted, reshaped, type WeightArray } from '../graph/array.ts';
import type { Graph } from '../graph/graph.ts';
import type { Value } from '../graph/value.ts';
import type { Attribute } from '../onnx/schema.ts';
import { activated } from './dense.ts';

/** What convolutions and poolings say about themselves. */
interface Strided {
  padding?: string;
  strides?: number | number[];
  dilationRate?: number | number[];
  poolSize?: number | number[];
  dataFormat?: string | null;
}

/** A number for each of `count` axes. */
const each = (value: number | number[] | null | undefined, count: number): number[] =>
  Array.isArray(value) ? value : Array<number>(count).fill(value ?? 1);

/** Throws if a layer takes its channels first. */
export function needChannelsLast(layer: Layer): void {
  const { dataFormat } = configOf<Strided>(layer);
  if (/first/i.test(dataFormat ?? '')) throw unsupported(layer, "dataFormat 'channelsLast'", `${dataFormat}`);
}

/**
 * Strides, dilations and padding of a layer.
 *
 * @param kernel Height and width of what it moves over the map, or its length.
 */
function attributesOf(layer: Layer, kernel: readonly number[]): Record<string, Attribute> {
  needChannelsLast(layer);
  const { padding, strides, dilationRate } = configOf<Strided>(layer);
  const attributes: Record<string, Attribute> = { strides: each(strides, kernel.length) };
  const dilations = each(dilationRate, kernel.length);
  const dilated = dilations.some((n) => n > 1);
  if (dilated) attributes.dilations = dilations;
  if (padding === 'same') {
    // ONNX Runtime finds no padding for dilated kernels; their stride is 1 in tfjs, so that it is known here
    const total = kernel.map((size, i) => (size - 1) * dilations[i]!);
    if (!dilated) attributes.auto_pad = 'SAME_UPPER';
    else attributes.pads = [...total.map((n) => Math.floor(n / 2)), ...total.map((n) => Math.ceil(n / 2))];
  } else if (padding !== 'valid' && padding !== undefined) {
    throw unsupported(layer, "padding 'same' or 'valid'", padding);
  }
  return attributes;
}

/** A convolution on a tensor with its channels first, by a kernel [out, in, ...]. */
function convolve(
  graph: Graph,
  tensor: string,
  kernel: WeightArray,
  bias: WeightArray | undefined,
  attributes: Record<string, Attribute>,
): string {
  const weights = [graph.weight(kernel), ...(bias ? [graph.weight(bias)] : [])];
  return graph.node('Conv', [tensor, ...weights], attributes);
}

/** Kernels of tfjs, [..., in, out], as ONNX has them: [out, in, ...]. */
const outFirst = (kernel: WeightArray): WeightArray => {
  const space = kernel.dims.length - 2;
  return permuted(kernel, [space + 1, space, ...Array.from({ length: space }, (_, i) => i)]);
};

const conv2d: Converter = (layer, inputs, graph) => {
  const kernel = outFirst(neededWeight(layer, 'kernel'));
  const attributes = attributesOf(layer, kernel.dims.slice(2));
  const tensor = convolve(graph, inputs[0]!.channelsFirst, kernel, weightOf(layer, 'bias'), attributes);
  return activated(layer, graph, graph.channelsFirst(tensor, shapeBy(layer, inputs, tensor, 'first')));
};

const conv1d: Converter = (layer, inputs, graph) => {
  const kernel = outFirst(neededWeight(layer, 'kernel'));
  const first = graph.transpose(inputs[0]!.tensor, [0, 2, 1]);
  const attributes = attributesOf(layer, kernel.dims.slice(2));
  const y = convolve(graph, first, kernel, weightOf(layer, 'bias'), attributes);
  const tensor = graph.transpose(y, [0, 2, 1]);
  return activated(layer, graph, graph.value(tensor, shapeBy(layer, inputs, tensor)));
};

/** A kernel [h, w, in, multiplier] as [in * multiplier, 1, h, w]: each channel has filters of its own. */
function depthwiseKernel(kernel: WeightArray): WeightArray {
  const [h, w, channels, multiplier] = kernel.dims as [number, number, number, number];
  return reshaped(permuted(kernel, [2, 3, 0, 1]), [channels * multiplier, 1, h, w]);
}

const depthwiseConv2d: Converter = (layer, inputs, graph) => {
  const kernel = neededWeight(layer, 'depthwise_kernel');
  const attributes = { ...attributesOf(layer, kernel.dims.slice(0, 2)), group: kernel.dims[2]! };
  const x = inputs[0]!.channelsFirst;
  const tensor = convolve(graph, x, depthwiseKernel(kernel), weightOf(layer, 'bias'), attributes);
  return activated(layer, graph, graph.channelsFirst(tensor, shapeBy(layer, inputs, tensor, 'first')));
};

const separableConv2d: Converter = (layer, inputs, graph) => {
  const kernel = neededWeight(layer, 'depthwise_kernel');
  const attributes = { ...attributesOf(layer, kernel.dims.slice(0, 2)), group: kernel.dims[2]! };
  const x = convolve(graph, inputs[0]!.channelsFirst, depthwiseKernel(kernel), undefined, attributes);
  const mixing = outFirst(neededWeight(layer, 'pointwise_kernel'));
  const tensor = convolve(graph, x, mixing, weightOf(layer, 'bias'), {});
  return activated(layer, graph, graph.channelsFirst(tensor, shapeBy(layer, inputs, tensor, 'first')));
};

/** A kernel [h, w, out, in] as [in, out, h, w]; the result has `stride` times the sides, and what the kernel adds without padding. */
const conv2dTranspose: Converter = (layer, inputs, graph) => {
  needChannelsLast(layer);
  const { strides, padding } = configOf<Strided>(layer);
  const kernel = permuted(neededWeight(layer, 'kernel'), [3, 2, 0, 1]);
  const steps = each(strides, 2);
  const extra = steps.map((step, i) => kernel.dims[2 + i]! - step);
  const cut = extra.map((n) => (padding === 'same' ? Math.max(0, n) : 0));
  const bias = weightOf(layer, 'bias');
  const weights = [graph.weight(kernel), ...(bias ? [graph.weight(bias)] : [])];
  const tensor = graph.node('ConvTranspose', [inputs[0]!.channelsFirst, ...weights], {
    strides: steps,
    pads: [...cut.map((n) => Math.floor(n / 2)), ...cut.map((n) => Math.ceil(n / 2))],
    output_padding: extra.map((n) => Math.max(0, -n)),
  });
  return activated(layer, graph, graph.channelsFirst(tensor, shapeBy(layer, inputs, tensor, 'first')));
};

const pool2d =
  (type: 'MaxPool' | 'AveragePool'): Converter =>
  (layer, inputs, graph) => {
    const size = each(configOf<Strided>(layer).poolSize, 2);
    const attributes = { ...attributesOf(layer, size), kernel_shape: size };
    const tensor = graph.node(type, [inputs[0]!.channelsFirst], attributes);
    return graph.channelsFirst(tensor, shapeBy(layer, inputs, tensor, 'first'));
  };

const pool1d =
  (type: 'MaxPool' | 'AveragePool'): Converter =>
  (layer, inputs, graph) => {
    const size = each(configOf<Strided>(layer).poolSize, 1);
    const attributes = { ...attributesOf(layer, size), kernel_shape: size };
    const first = graph.transpose(inputs[0]!.tensor, [0, 2, 1]);
    const tensor = graph.transpose(graph.node(type, [first], attributes), [0, 2, 1]);
    return graph.value(tensor, shapeBy(layer, inputs, tensor));
  };

const globalPool =
  (kind: 'Mean' | 'Max'): Converter =>
  (layer, [x], graph) => {
    needChannelsLast(layer);
    const inner = x!.shape.length - 2;
    const start = x!.isChannelsFirst ? 2 : 1;
    const axes = Array.from({ length: inner }, (_, i) => start + i);
    const tensor = graph.reduce(kind, x!.isChannelsFirst ? x!.channelsFirst : x!.tensor, axes);
    return graph.value(tensor, [x!.shape[0]!, x!.shape.at(-1)!]);
  };

const upSampling2d: Converter = (layer, [x], graph) => {
  needChannelsLast(layer);
  const { size, interpolation } = configOf<{ size: [number, number]; interpolation: string }>(layer);
  const nearest = interpolation === 'nearest';
  const tensor = graph.node('Resize', [x!.channelsFirst, '', graph.floats([1, 1, ...size])], {
    mode: nearest ? 'nearest' : 'linear',
    coordinate_transformation_mode: 'asymmetric',
    ...(nearest && { nearest_mode: 'floor' }),
  });
  return graph.channelsFirst(tensor, shapeBy(layer, [x as Value], tensor, 'first'));
};

/** Converters of convolutions, poolings and resizing, by class. */
export const convConverters: Record<string, Converter> = {
  Conv1D: conv1d,
  Conv2D: conv2d,
  DepthwiseConv2D: depthwiseConv2d,
  SeparableConv2D: separableConv2d,
  Conv2DTranspose: conv2dTranspose,
  MaxPooling1D: pool1d('MaxPool'),
  MaxPooling2D: pool2d('MaxPool'),
  AveragePooling1D: pool1d('AveragePool'),
  AveragePooling2D: pool2d('AveragePool'),
  GlobalAveragePooling1D: globalPool('Mean'),
  GlobalAveragePooling2D: globalPool('Mean'),
  GlobalMaxPooling1D: globalPool('Max'),
  GlobalMaxPooling2D: globalPool('Max'),
  UpSampling2D: upSampling2d,
};

import { isModel, type Layer, sortedNodes } from '@e3va/adapter-core';
import type { LayersModel, SymbolicTensor } from '@tensorflow/tfjs-layers';
import { OnnxLayerError, OnnxOptionError, OnnxSizeError } from './errors.ts';
import { Graph, type Precision } from './graph/graph.ts';
import { type Size, shapeSize } from './graph/size.ts';
import type { Value } from './graph/value.ts';
import { type ElementType, modelProto, type Port } from './onnx/schema.ts';
import { nameOutputs } from './outputs.ts';
import { converterOf } from './registry.ts';

/** Options of {@link toOnnx}. */
export interface ToOnnxOptions {
  /** What the file gives: names of layers, or their results. Default: the model's outputs. */
  outputs?: readonly (string | SymbolicTensor)[];
  /**
   * `'fp32'`, the default; `'fp16'`: kernels and tables are stored in half precision and widened when the file is loaded;
   * `'int8'`: products with a matrix are computed in 8 bits, the matrix with a step for each column, the other factor with one step
   * that is found at each run.
   */
  precision?: Precision;
  /** Version of ONNX's operators, 17 (the default) to 21. */
  opset?: number;
  /** Shapes of the inputs, batch first, where they are to be fixed; null stays open. Default: those of the model. */
  inputShapes?: readonly (readonly (number | null)[])[];
}

/** What protocol buffers hold at most. */
const mostBytes = 2 ** 31 - 1;

/**
 * A LayersModel as an ONNX file: one converter a class of layers; {@link registerConverter} adds to them.
 *
 * Axes are the model's own (maps with their channels last). Sizes that the model leaves open, such as batch, height and width, stay
 * open: whatever depends on them (padding, windows, masks, resized positions) is computed in the graph. Dropout and stochastic depth
 * are left out, batch normalisation uses its running statistics: the file is for inference.
 *
 * @param model The model; its weights are read from the backend one after the other, and each is in memory once more than in the model
 * and the file.
 * @returns The file, an ONNX `ModelProto`.
 * @throws {@link OnnxLayerError} for a layer without converter, or a use of one that is not covered; {@link OnnxSizeError} above the
 * 2 GiB of an ONNX file; {@link OnnxOptionError}.
 *
 * @example
 * ```ts
 * import { mkdtempSync, writeFileSync } from 'node:fs';
 * import { tmpdir } from 'node:os';
 * import { join } from 'node:path';
 * import * as tf from '@tensorflow/tfjs-core';
 * import '@tensorflow/tfjs-backend-cpu';
 * import { toOnnx } from '@e3va/engine-onnx';
 * import { swin } from '@e3va/swin';
 *
 * await tf.setBackend('cpu');
 * const model = swin({ embedDim: 8, depths: [2, 2], heads: [1, 2], window: 4 });
 * const file = await toOnnx(model, { precision: 'fp16' });
 * writeFileSync(join(mkdtempSync(join(tmpdir(), 'onnx-')), 'swin.onnx'), file);
 * ```
 */
export async function toOnnx(model: LayersModel, options: ToOnnxOptions = {}): Promise<Uint8Array> {
  const { precision = 'fp32', opset = 17 } = options;
  checkOptions(precision, opset);
  const graph = new Graph(opset, precision);
  const ports = model.inputs.map((t, i) => inputPort(t, uniqueNames(model.inputs)[i]!));
  const values = new Map<number, Value>();
  const shapes = shapesOf(model, options.inputShapes);
  const inputs = ports.map((port, i): Port => {
    const shape = shapes[i]!.map((size, axis): Size => size ?? shapeSize(port.name, axis));
    values.set(model.inputs[i]!.id, graph.value(port.name, shape));
    return { ...port, dims: shape.map(dimOf) };
  });
  const outputs = outputsOf(model, options.outputs);
  place(graph, model.inputs, outputs, values, '');
  const results = outputs.map((t) => ({
    name: t.sourceLayer.name,
    tensor: values.get(t.id)!.tensor,
    dims: values.get(t.id)!.shape.map(dimOf),
  }));
  const named = nameOutputs(graph, inputs, results);
  const { initializers } = graph;
  const file = modelProto({ opset, name: model.name, initializers, inputs, ...named });
  if (file.length > mostBytes) throw tooLarge(model, file.length);
  return file.encode();
}

const dimOf = (size: Size): number | string => (typeof size === 'number' ? size : size.key);

function checkOptions(precision: string, opset: number): void {
  if (!['fp32', 'fp16', 'int8'].includes(precision)) {
    throw new OnnxOptionError({
      what: "toOnnx: unknown 'precision'",
      expected: 'fp32, fp16 or int8',
      received: precision,
    });
  }
  if (!Number.isInteger(opset) || opset < 17 || opset > 21) {
    throw new OnnxOptionError({
      what: "toOnnx: 'opset' is not supported",
      expected: '17 to 21',
      received: `${opset}`,
    });
  }
}

function tooLarge(model: LayersModel, length: number): OnnxSizeError {
  return new OnnxSizeError({
    what: `model '${model.name}' is too large for an ONNX file`,
    expected: `at most ${mostBytes} bytes, the limit of protocol buffers`,
    received: `${length} bytes`,
    fix: "use precision 'fp16' or 'int8', or fewer outputs",
  });
}

/** Names of a model's inputs: those of their layers. */
const uniqueNames = (inputs: SymbolicTensor[]): string[] => inputs.map((t) => t.sourceLayer.name);

function inputPort({ dtype }: SymbolicTensor, name: string): Omit<Port, 'dims'> {
  const type: ElementType = dtype === 'int32' || dtype === 'bool' ? dtype : 'float32';
  return { name, type };
}

function shapesOf(model: LayersModel, given: ToOnnxOptions['inputShapes']): (number | null)[][] {
  const own = model.inputs.map(({ shape }) => shape.map((size) => size ?? null));
  if (!given) return own;
  const fits =
    given.length === own.length &&
    own.every((shape, i) => {
      const other = given[i]!;
      return shape.length === other.length && shape.every((size, k) => size === null || size === other[k]);
    });
  if (fits) return given.map((shape) => [...shape]);
  throw new OnnxOptionError({
    what: "toOnnx: 'inputShapes' do not fit the model",
    expected: JSON.stringify(own),
    received: JSON.stringify(given),
  });
}

function outputsOf(model: LayersModel, given: ToOnnxOptions['outputs']): SymbolicTensor[] {
  if (!given) return model.outputs as SymbolicTensor[];
  return given.map((output) => {
    if (typeof output !== 'string') return output;
    const layer = model.layers.find(({ name }) => name === output);
    if (layer) return [layer.output].flat()[0]!;
    throw new OnnxOptionError({
      what: `toOnnx: model '${model.name}' has no layer '${output}'`,
      fix: 'print model.layers.map((l) => l.name)',
    });
  });
}

/** Writes the layers between inputs and outputs; `values` holds the inputs, and gets what each layer gives. */
function place(
  graph: Graph,
  inputs: SymbolicTensor[],
  outputs: SymbolicTensor[],
  values: Map<number, Value>,
  path: string,
): void {
  for (const node of sortedNodes(inputs, outputs)) {
    const given = node.inputs.map((t) => values.get(t.id)!);
    const results = isModel(node.layer)
      ? inline(graph, node.layer, given, `${path}${node.layer.name}/`)
      : convert(graph, node.layer, given, path);
    node.outputs.forEach((t, i) => {
      values.set(t.id, results[i]!);
    });
  }
}

/** A model inside the model. */
function inline(graph: Graph, nested: LayersModel, given: Value[], path: string): Value[] {
  const inside = new Map(nested.inputs.map((t, i) => [t.id, given[i]!]));
  const outputs = nested.outputs as SymbolicTensor[];
  place(graph, nested.inputs, outputs, inside, path);
  return outputs.map((t) => inside.get(t.id)!);
}

function convert(graph: Graph, layer: Layer, given: Value[], path: string): Value[] {
  const className = layer.getClassName();
  const converter = converterOf(className);
  if (!converter) {
    throw new OnnxLayerError({
      what: `layer '${path}${layer.name}' has no converter to ONNX: nothing is known about its class, ${className}`,
      fix: `registerConverter('${className}', (layer, inputs, graph) => …) of @e3va/engine-onnx, or take taps in front of this layer`,
    });
  }
  graph.scope = `${path}${layer.name}`;
  return [converter(layer, given, graph)].flat();
}

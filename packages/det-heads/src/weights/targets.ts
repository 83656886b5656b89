import {
  asIs,
  conv,
  floats,
  linear,
  transposed,
  type WeightSource,
  type WeightTarget,
} from '@e3va/weight-files';
import type { LayersModel, LayerVariable } from '@tensorflow/tfjs-layers';
import type { Detector } from '../detection.ts';
import type { DetectorNames } from './naming.ts';

/** A weight of a detector. */
interface DetectorWeight {
  variable: LayerVariable;
  /** Its layer as {@link DetectorNames} has it: `boxHead.2.cls`. */
  layer: string;
  /** The layer within its model: `cls`. */
  own: string;
  kind: string;
  /** Side of the regions that its model reads; of a box or mask head alone. */
  side: number;
}

const vectorNames: Record<string, string> = {
  bias: 'bias',
  gamma: 'weight',
  beta: 'bias',
  runningMean: 'running_mean',
  runningVariance: 'running_var',
};

/**
 * Where each weight of a detector comes from in a file.
 *
 * @param dropped Whether a layer keeps its weights, by its name in {@link DetectorNames}.
 */
export function detectorTargets(
  detector: Detector,
  names: DetectorNames,
  dropped: (layer: string) => boolean = () => false,
): WeightTarget[] {
  return weightsOf(detector.models)
    .filter(({ layer }) => !dropped(layer))
    .map((weight) => ({ variable: weight.variable, source: sourceOf(weight, names) }));
}

function weightsOf(models: Record<string, LayersModel>): DetectorWeight[] {
  return Object.entries(models).flatMap(([model, { weights, inputs }]) => {
    const prefix = model.replace(/(\d+)$/, '.$1');
    return weights.map((variable) => {
      const [own, kind] = variable.originalName.split('/') as [string, string];
      return { variable, layer: `${prefix}.${own}`, own, kind, side: inputs[0]!.shape[1] ?? 1 };
    });
  });
}

function sourceOf(weight: DetectorWeight, names: DetectorNames): WeightSource {
  const module = names.moduleOf(weight.layer);
  const shape = weight.variable.shape as number[];
  const source =
    weight.kind === 'kernel'
      ? kernelSource(weight, `${module}.weight`, shape)
      : asIs(`${module}.${vectorNames[weight.kind]}`, shape);
  if (names.naming === 'mmdet' || !/^(boxHead|maskHead)\b/.test(weight.layer)) return source;
  return withoutBackgroundFirst(weight.own, source);
}

function kernelSource({ own, side }: DetectorWeight, name: string, shape: number[]): WeightSource {
  if (own === 'up') return upSource(name, shape);
  if (shape.length === 4) return conv(name, shape as [number, number, number, number]);
  const [inputs, outputs] = shape as [number, number];
  return own === 'dense.0' ? pooledSource(name, side, [inputs, outputs]) : linear(name, [inputs, outputs]);
}

/** A transposed convolution, [in, out, 2, 2] in the file, for a kernel [in, 2, 2, out]. */
function upSource(name: string, shape: number[]): WeightSource {
  const [from, , , to] = shape as [number, number, number, number];
  return {
    parts: [{ name, shape: [from, to, 2, 2] }],
    convert: ([array]) => {
      const out = new Float32Array(array!.data.length);
      const each = 4 * to;
      for (let i = 0; i < from; i++) {
        const data = floats({ shape: [], data: array!.data.subarray(i * each, (i + 1) * each) });
        out.set(transposed({ shape: [], data }, to), i * each);
      }
      return out;
    },
  };
}

/** The dense layer behind pooled regions, flattened channels first, [out, C · side²], in the file, and channels last here. */
function pooledSource(name: string, side: number, [inputs, outputs]: [number, number]): WeightSource {
  const area = side * side;
  const channels = inputs / area;
  return {
    parts: [{ name, shape: [outputs, inputs] }],
    convert: ([array]) => {
      const { data } = array!;
      const out = new Float32Array(data.length);
      for (let c = 0; c < channels; c++) {
        for (let p = 0; p < area; p++) {
          const to = (p * channels + c) * outputs;
          for (let o = 0, from = c * area + p; o < outputs; o++, from += inputs) out[to + o] = data[from]!;
        }
      }
      return out;
    },
  };
}

/**
 * The rows of a layer that counts the background as its first class in the file, and as its last or not at all here: the class
 * logits keep it, boxes and masks do without.
 */
function withoutBackgroundFirst(own: string, source: WeightSource): WeightSource {
  const background = { cls: 1, reg: 4, logits: 1 }[own];
  if (background === undefined) return source;
  const [part] = source.parts;
  const [rows, ...rest] = part!.shape as [number, ...number[]];
  const row = rest.reduce((a, b) => a * b, 1);
  const kept = own === 'cls';
  const convert = source.convert ?? (([array]) => floats(array!));
  return {
    ...source,
    parts: [{ ...part!, shape: [kept ? rows : rows + background, ...rest] }],
    convert: ([array]) => {
      const values = floats(array!);
      const data = new Float32Array(rows * row);
      data.set(values.subarray(background * row));
      if (kept) data.set(values.subarray(0, row), (rows - 1) * row);
      return convert([{ shape: [rows, ...rest], data }]);
    },
  };
}

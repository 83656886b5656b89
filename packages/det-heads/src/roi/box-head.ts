import { BatchNorm, Conv } from '@e3va/head-layers';
import {
  initializers,
  input,
  type LayersModel,
  layers,
  model,
  type SymbolicTensor,
} from '@tensorflow/tfjs-layers';
import { type HeadSeeds, seedsOf } from './seeds.ts';

/** Options of {@link boxHead}. */
export interface BoxHeadOptions {
  /** Channels of the pooled regions. */
  channels: number;
  /** Number of classes without the background. */
  classes: number;
  /** Side of the pooled regions; 7 by default. */
  poolSize?: number;
  /** 3×3 convolutions before the dense layers; 0 by default. */
  convs?: number;
  /** Their width; that of the input by default. */
  convChannels?: number;
  /** Whether batch normalisation follows each convolution; false by default. */
  norm?: boolean;
  /** Dense layers; 2 by default. */
  dense?: number;
  /** Their width; 1024 by default. */
  denseChannels?: number;
  /** Whether all classes share one box; false by default: each has its own. */
  classAgnostic?: boolean;
  /** Seed of the initial weights; without one they differ at each construction. */
  seed?: number;
  /** Name of the model. */
  name?: string;
}

/**
 * The box head of an R-CNN: class logits and box deltas of pooled regions.
 *
 * Input [regions, poolSize, poolSize, channels]; outputs [regions, classes + 1], the last one for background, and
 * [regions, 4] if class-agnostic, else [regions, 4 · classes], four numbers a class. The default is mmdetection's
 * `Shared2FC`; `{ convs: 4, dense: 1 }` is its `Shared4Conv1FC`. Layers: `convs.I` (`.conv`, and `.norm`), `dense.I`, `cls`
 * and `reg`.
 *
 * Initial weights are mmdetection's: convolutions Kaiming normal by fan-out, dense layers Xavier uniform, `cls` normal 0.01, `reg`
 * normal 0.001, biases 0.
 */
export function boxHead(options: BoxHeadOptions): LayersModel {
  const {
    channels,
    classes,
    poolSize = 7,
    convs = 0,
    dense = 2,
    denseChannels = 1024,
    name = 'box_head',
  } = options;
  const seeds = seedsOf(options.seed);
  const x = input({ shape: [poolSize, poolSize, channels], name: 'regions' });
  let y = x;
  for (let i = 0; i < convs; i++) y = convBlock(`convs.${i}`, y, options, seeds);
  y = layers.flatten({ name: 'flatten' }).apply(y) as SymbolicTensor;
  for (let i = 0; i < dense; i++) {
    const kernelInitializer = initializers.glorotUniform(seeds.next());
    const layer = layers.dense({
      name: `dense.${i}`,
      units: denseChannels,
      activation: 'relu',
      kernelInitializer,
    });
    y = layer.apply(y) as SymbolicTensor;
  }
  const out = (name: string, units: number, stddev: number) => {
    const kernelInitializer = initializers.randomNormal({ mean: 0, stddev, ...seeds.next() });
    return layers.dense({ name, units, kernelInitializer }).apply(y) as SymbolicTensor;
  };
  const outputs = [out('cls', classes + 1, 0.01), out('reg', options.classAgnostic ? 4 : 4 * classes, 0.001)];
  return model({ inputs: x, outputs, name });
}

function convBlock(
  name: string,
  x: SymbolicTensor,
  { channels, convChannels = channels, norm = false }: BoxHeadOptions,
  seeds: HeadSeeds,
): SymbolicTensor {
  const conv = new Conv({
    name: `${name}.conv`,
    filters: convChannels,
    kernelSize: 3,
    useBias: !norm,
    initializer: { normal: Math.sqrt(2 / (9 * convChannels)) },
    activation: norm ? 'linear' : 'relu',
    ...seeds.next(),
  });
  const y = conv.apply(x) as SymbolicTensor;
  return norm ? (new BatchNorm({ name: `${name}.norm`, activation: 'relu' }).apply(y) as SymbolicTensor) : y;
}

import { Conv } from '@e3va/head-layers';
import { input, type LayersModel, model, type SymbolicTensor } from '@tensorflow/tfjs-layers';
import { seedsOf } from './seeds.ts';
import { UpConv } from './up-conv.ts';

/** Options of {@link maskHead}. */
export interface MaskHeadOptions {
  /** Channels of the pooled regions. */
  channels: number;
  /** Number of classes. */
  classes: number;
  /** Side of the pooled regions; 14 by default. */
  poolSize?: number;
  /** 3×3 convolutions; 4 by default. */
  convs?: number;
  /** Their width, and that of the upsampled map; 256 by default. */
  convChannels?: number;
  /** Seed of the initial weights; without one they differ at each construction. */
  seed?: number;
  /** Name of the model. */
  name?: string;
}

/**
 * The mask head of an R-CNN: a mask of logits for every class of pooled regions, at twice their side.
 *
 * Input [regions, poolSize, poolSize, channels]; output [regions, 2 · poolSize, 2 · poolSize, classes]. Layers: `convs.I`, `up` (a
 * transposed convolution, see {@link UpConv}) and `logits`. All start Kaiming normal by fan-out with biases of 0, as in mmdetection.
 *
 * Source: He et al., Mask R-CNN, arXiv 1703.06870, figure 4.
 */
export function maskHead(options: MaskHeadOptions): LayersModel {
  const { channels, classes, poolSize = 14, convs = 4, convChannels = 256, name = 'mask_head' } = options;
  const seeds = seedsOf(options.seed);
  const x = input({ shape: [poolSize, poolSize, channels], name: 'regions' });
  const conv = (
    name: string,
    x: SymbolicTensor,
    filters: number,
    kernelSize: number,
    activation: 'linear' | 'relu',
  ) => {
    const initializer = { normal: Math.sqrt(2 / (kernelSize * kernelSize * filters)) };
    const layer = new Conv({ name, filters, kernelSize, activation, initializer, ...seeds.next() });
    return layer.apply(x) as SymbolicTensor;
  };
  let y = x;
  for (let i = 0; i < convs; i++) y = conv(`convs.${i}`, y, convChannels, 3, 'relu');
  const up = new UpConv({ name: 'up', filters: convChannels, activation: 'relu', ...seeds.next() });
  y = up.apply(y) as SymbolicTensor;
  return model({ inputs: x, outputs: conv('logits', y, classes, 1, 'linear'), name });
}

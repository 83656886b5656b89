import { Conv } from '@e3va/head-layers';
import { input, type LayersModel, model, type SymbolicTensor } from '@tensorflow/tfjs-layers';
import { checkInteger } from './batch.ts';

/** Options of {@link rpnHead}. */
export interface RpnHeadOptions {
  /** Channels of the pyramid's maps. */
  channels: number;
  /** Anchors of a cell. */
  anchors: number;
  /** Width of the convolution; that of the maps by default. */
  width?: number;
  /** Seed of the initial weights; without one they differ at each construction. */
  seed?: number;
  /** Name of the model. */
  name?: string;
}

/**
 * The head of a region proposal network, one for all levels: `conv`, 3×3 with ReLU, then `class`, a logit an anchor, and
 * `box`, four deltas an anchor. Kernels start normal with 0.01, biases at 0.
 *
 * From [batch, h, w, channels] to [batch, h, w, anchors] and [batch, h, w, 4 · anchors].
 *
 * Source: Ren et al., Faster R-CNN, arXiv 1506.01497, section 3.1.
 *
 * @throws DetectionOptionsError if an option is out of range.
 */
export function rpnHead(options: RpnHeadOptions): LayersModel {
  const { channels, anchors, width = channels, seed, name = 'rpn' } = options;
  checkInteger('width', width, 1);
  const x = input({ shape: [null, null, channels], name: 'map' });
  const conv = (i: number, name: string, filters: number, rest: object = {}) => {
    const start = {
      initializer: { normal: 0.01 },
      ...(seed !== undefined && { seed: seed * 1000 + 300 + i }),
    };
    return new Conv({ name, filters, ...start, ...rest });
  };
  const y = conv(0, 'conv', width, { kernelSize: 3, activation: 'relu' }).apply(x) as SymbolicTensor;
  const outputs = [conv(1, 'class', anchors).apply(y), conv(2, 'box', 4 * anchors).apply(y)];
  return model({ inputs: x, outputs: outputs as SymbolicTensor[], name });
}

import { Conv } from '@e3va/head-layers';
import { input, type LayersModel, model, type SymbolicTensor } from '@tensorflow/tfjs-layers';
import { checkInteger, checkOption } from './batch.ts';

/** Options of {@link retinaHead}. */
export interface RetinaHeadOptions {
  /** Channels of the pyramid's maps. */
  channels: number;
  /** Number of classes. */
  classes: number;
  /** Anchors of a cell. */
  anchors: number;
  /** 3×3 convolutions in each branch; 4 by default. */
  convs?: number;
  /** Their width; that of the maps by default. */
  width?: number;
  /** The score that every class starts with, so that the many negatives do not rule the first steps; 0.01 by default. */
  prior?: number;
  /** Seed of the initial weights; without one they differ at each construction. */
  seed?: number;
  /** Name of the model. */
  name?: string;
}

/**
 * RetinaNet's head, one for all levels: two branches of 3×3 convolutions with ReLU, `class.convs.I` and `box.convs.I`, which
 * end in `class.logits`, a logit an anchor and class, and `box.deltas`, four numbers an anchor.
 *
 * From [batch, h, w, channels] to [batch, h, w, anchors · classes] and [batch, h, w, anchors · 4]. Kernels start normal with
 * 0.01, biases at 0, that of the logits at −log((1 − prior) / prior).
 *
 * Source: Lin et al., arXiv 1708.02002, section 4.
 *
 * @throws DetectionOptionsError if an option is out of range.
 */
export function retinaHead(options: RetinaHeadOptions): LayersModel {
  const { channels, classes, anchors, convs = 4, width = channels, prior = 0.01, seed } = options;
  checkInteger('convs', convs, 0);
  checkInteger('width', width, 1);
  checkOption(prior > 0 && prior < 1, 'prior', prior, 'a number above 0 and below 1');
  let drawn = 0;
  const conv = (name: string, x: SymbolicTensor, filters: number, rest: object) => {
    drawn++;
    const seeded = seed === undefined ? {} : { seed: seed * 1000 + 200 + drawn };
    const layer = new Conv({
      name,
      filters,
      kernelSize: 3,
      initializer: { normal: 0.01 },
      ...seeded,
      ...rest,
    });
    return layer.apply(x) as SymbolicTensor;
  };
  const x = input({ shape: [null, null, channels], name: 'map' });
  const branch = (name: string) => {
    let y = x;
    for (let i = 0; i < convs; i++) y = conv(`${name}.convs.${i}`, y, width, { activation: 'relu' });
    return y;
  };
  const biasValue = -Math.log((1 - prior) / prior);
  const logits = conv('class.logits', branch('class'), anchors * classes, { biasValue });
  const deltas = conv('box.deltas', branch('box'), anchors * 4, {});
  return model({ inputs: x, outputs: [logits, deltas], name: options.name ?? 'retina_head' });
}

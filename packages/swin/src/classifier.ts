import { blankWeights } from '@e3va/weight-files';
import { input, type LayersModel, layers, model } from '@tensorflow/tfjs-layers';
import { checkConfig, type SwinConfig } from './config.ts';
import { Linear } from './dense.ts';
import { SwinConfigError } from './errors.ts';
import { LayerNorm } from './layer-norm.ts';
import { stages } from './swin.ts';

/** The architecture of a Swin that classifies images. */
export interface SwinClassifierConfig extends Omit<SwinConfig, 'outLevels'> {
  /** Number of classes. */
  classes: number;
  /** Side of the images in pixels; default 32 windows, 224 for a window of 7. */
  imageSize?: number;
}

/**
 * The classifier that a Swin was pretrained as, with all weights zero: the last stage's map, normed and averaged, and a
 * linear layer. For square images of one size: a stage whose map is no larger than a window shifts none, as in the
 * official code, transformers, timm and torchvision (see {@link swin} for the form of dense prediction).
 *
 * Input [batch, imageSize, imageSize, 3], output logits [batch, classes]. Layers: those of `swin`, then `norm`, `pool`, `head`.
 *
 * @throws SwinConfigError if the numbers do not go together, or the last map is smaller than a window.
 */
export function blankSwinClassifier({ classes, imageSize, ...rest }: SwinClassifierConfig): LayersModel {
  const config = checkConfig(rest);
  const { patch, window, depths } = config;
  const side = imageSize ?? patch * 2 ** (depths.length - 1) * window;
  const maps = depths.map((_, s) => side / (patch * 2 ** s));
  if (maps.some((map) => !Number.isInteger(map)) || maps.at(-1)! < window) {
    throw new SwinConfigError({
      what: "swin classifier: 'imageSize' does not fit",
      expected: `a multiple of ${patch * 2 ** (depths.length - 1)} pixels, and at least ${window} times that`,
      received: `${side}`,
    });
  }
  const images = input({ shape: [side, side, 3], name: 'images' });
  const unshifted = maps.flatMap((map, s) => (map <= window ? [s] : []));
  return blankWeights((apply) => {
    const last = stages(images, config, apply, unshifted).at(-1)!;
    const normed = apply(new LayerNorm({ name: 'norm' }), last);
    const pooled = apply(layers.globalAveragePooling2d({ name: 'pool' }), normed);
    const logits = apply(new Linear({ name: 'head', units: classes }), pooled);
    return model({ inputs: images, outputs: logits, name: 'swin_classifier' });
  });
}

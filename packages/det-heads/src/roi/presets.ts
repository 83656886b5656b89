import type { Level } from '../batch.ts';
import { withDefaults } from '../batch.ts';
import type { Detector } from '../detection.ts';
import { fpn, pyramidStrides } from '../fpn.ts';
import { withNeck } from '../neck.ts';
import { type PyramidRcnnOptions, pyramidRcnn, type RcnnRpnOptions } from './rcnn.ts';

/** Options that every R-CNN has. Those that are left out are fixed by the preset and the kind of detector. */
export interface RcnnOptions
  extends Omit<Partial<PyramidRcnnOptions>, 'classes' | 'strides' | 'pooledLevels' | 'maskHead'> {
  /** The levels that the backbone puts out, finest first. */
  levels: readonly Level[];
  /** Number of classes without the background. */
  classes: number;
  /**
   * `'paper'` (default): mmdetection's sizes, 256 channels, dense layers of 1024, four mask convolutions of 256, 512 regions
   * an image. `'light'`: for browsers and the wasm backend, 64 channels, dense layers of 256, two mask convolutions of 64, 128
   * regions.
   */
  preset?: 'paper' | 'light';
  /** Channels of the pyramid; by the preset. */
  channels?: number;
  /** Side of an anchor over the stride of its level; 8 by default. */
  anchorScale?: number;
}

const paper = {
  channels: 256,
  samples: 512,
  boxHead: { denseChannels: 1024 },
  maskHead: { convs: 4, convChannels: 256 },
  rpn: {
    trainProposals: { perLevel: 2000, max: 1000 },
    testProposals: { perLevel: 1000, max: 1000 },
  } satisfies RcnnRpnOptions as RcnnRpnOptions,
};

const light: typeof paper = {
  channels: 64,
  samples: 128,
  boxHead: { denseChannels: 256 },
  maskHead: { convs: 2, convChannels: 64 },
  rpn: {
    trainProposals: { perLevel: 500, max: 250 },
    testProposals: { perLevel: 500, max: 200 },
  },
};

/** Numbers that a kind of detector fixes. */
export type RcnnKind = Pick<PyramidRcnnOptions, 'stages' | 'boxHead' | 'boxLoss' | 'beta' | 'rpn'> & {
  /** Whether it has mask heads, and what they have beyond the preset. */
  masks: PyramidRcnnOptions['maskHead'] | false;
};

/** A feature pyramid with one more level than the backbone, for proposals alone, and an R-CNN over it. */
export function rcnnWithNeck(
  { levels, preset = 'paper', anchorScale = 8, ...given }: RcnnOptions,
  { masks, ...kind }: RcnnKind,
): Detector {
  const sizes = preset === 'light' ? light : paper;
  const options = withDefaults(withDefaults(given, kind), sizes);
  const strides = pyramidStrides(levels, levels.length + 1);
  const anchorSizes = strides.map((stride) => [anchorScale * stride]);
  const { channels, seed } = options;
  const neck = fpn({ levels, channels, outputs: strides.length, extra: 'pool', seed });
  const detector = pyramidRcnn({
    ...options,
    strides,
    pooledLevels: levels.length,
    boxHead: { ...sizes.boxHead, ...kind.boxHead, ...given.boxHead },
    maskHead: masks ? { ...sizes.maskHead, ...masks } : undefined,
    rpn: { anchorSizes, ...sizes.rpn, ...kind.rpn, ...given.rpn },
  });
  return withNeck(neck, levels, 0, detector);
}

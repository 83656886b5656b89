import { type WeightFile, WeightsMismatchError } from '@e3va/weight-files';
import type { RetinaNetOptions } from '../retinanet.ts';
import type { CascadeRcnnOptions } from '../roi/cascade-rcnn.ts';
import { CheckpointShapes } from './checkpoint-shapes.ts';
import { classNamesOf } from './class-names.ts';
import { type DetectorKind, Parts } from './kind.ts';
import { DetectorNames, type DetectorNaming } from './naming.ts';

/** What a checkpoint tells of its detector: the kind, and the options that build it but for the levels. */
export type DetectorCheckpoint = {
  /** Whose names the weights have. */
  naming: DetectorNaming;
  /** The name of each class, in the order of the labels. */
  classNames: string[];
  /** Channels of the backbone's levels that the feature pyramid reads, finest first. */
  levelChannels: number[];
} & (
  | { kind: 'retinanet'; options: Omit<RetinaNetOptions, 'levels'> }
  | { kind: Exclude<DetectorKind, 'retinanet'>; options: Omit<CascadeRcnnOptions, 'levels'> }
);

/**
 * Which detector a checkpoint of mmdetection (2 or 3) or torchvision holds: by names and shapes alone, so that nothing is read.
 *
 * What they do not tell is that of the published configurations. Anchors: three ratios, and 8 strides as their side in an
 * R-CNN, in RetinaNet three or more from 4 strides on. A further level of RetinaNet's whose convolution could read both the
 * backbone and the pyramid reads the first, as mmdetection's does. A cascade with a box a class was trained with GIoU
 * times 10, as that of Swin. Thresholds of inference are mmdetection's, or torchvision's.
 *
 * @throws WeightsMismatchError if the file is of no such detector, or its shapes do not go together.
 *
 * @example
 * ```ts
 * import { detectorOptionsOf } from '@e3va/det-heads';
 * import { memoryWeights } from '@e3va/weight-files';
 *
 * const weight = (...shape: number[]) => ({ shape, data: new Float32Array(shape.reduce((a, b) => a * b)) });
 * const file = memoryWeights({
 *   'neck.lateral_convs.0.conv.weight': weight(8, 16, 1, 1),
 *   'neck.fpn_convs.0.conv.weight': weight(8, 8, 3, 3),
 *   'bbox_head.retina_cls.weight': weight(27, 8, 3, 3),
 *   'bbox_head.retina_reg.weight': weight(36, 8, 3, 3),
 * });
 * const { kind, classNames, levelChannels } = detectorOptionsOf(file);
 * console.log(kind, classNames, levelChannels); // retinanet, 3 classes, [16]
 * ```
 */
export function detectorOptionsOf(file: WeightFile): DetectorCheckpoint {
  const names = new DetectorNames(file);
  const parts = Parts.ofFile(names);
  const { kind } = parts;
  if (!kind) {
    throw new WeightsMismatchError({
      what: `${file.name} is a detector of another kind`,
      expected: 'RetinaNet, Faster, Mask or Cascade R-CNN',
      received: `${parts}`,
    });
  }
  const shapes = new CheckpointShapes(file, names);
  const { channels, levelChannels } = neckOf(shapes, names);
  const { naming } = names;
  const common = (classes: number) => ({
    naming,
    levelChannels,
    classNames: classNamesOf(file, classes, naming),
  });
  if (kind === 'retinanet') {
    const options = retinaOptions(shapes, names, channels, levelChannels);
    return { kind, options, ...common(options.classes) };
  }
  const options = rcnnOptions(shapes, names, channels, kind);
  return { kind, options, ...common(options.classes) };
}

/** The pyramid's channels and those that it reads. */
function neckOf(shapes: CheckpointShapes, names: DetectorNames) {
  const channels = shapes.of('neck.lateral.0', [undefined, undefined, 1, 1])[0]!;
  const levelChannels = Array.from({ length: names.levels }, (_, i) => {
    shapes.of(`neck.output.${i}`, [channels, channels, 3, 3]);
    return shapes.of(`neck.lateral.${i}`, [channels, undefined, 1, 1])[1]!;
  });
  return { channels, levelChannels };
}

function retinaOptions(
  shapes: CheckpointShapes,
  names: DetectorNames,
  channels: number,
  levelChannels: readonly number[],
): Omit<RetinaNetOptions, 'levels'> {
  const { convs, width } = shapes.convs((i) => `head.class.convs.${i}`, channels);
  const boxes = shapes.convs((i) => `head.box.convs.${i}`, channels);
  const anchors = shapes.of('head.box.deltas', [undefined, boxes.width, 3, 3])[0]! / 4;
  const logits = shapes.of('head.class.logits', [undefined, width, 3, 3])[0]!;
  const classes = shapes.whole('head.class.logits', 'classes', logits / anchors);
  const torchvision = names.naming === 'torchvision';
  const shared = { classes, channels, convs, width, ...extraLevels(shapes, names, channels, levelChannels) };
  const octaves = shapes.whole('head.box.deltas', 'sizes of three ratios each', anchors / 3);
  return {
    ...shared,
    ...(octaves !== 3 && { octaves }),
    ...(torchvision && { definition: 'torchvision', reluBeforeExtra: true, maxDetections: 300 }),
  };
}

/** How many levels a RetinaNet adds to those of the backbone, and what they are made of. */
function extraLevels(
  shapes: CheckpointShapes,
  names: DetectorNames,
  channels: number,
  levelChannels: readonly number[],
): Pick<RetinaNetOptions, 'extra' | 'extraLevels'> {
  const extraLevels = names.count((i) => `neck.extra.${i}`);
  if (extraLevels === 0) return { extra: 'pool', extraLevels: 2 };
  const from = shapes.of('neck.extra.0', [channels, undefined, 3, 3])[1]!;
  const isInput = from === levelChannels.at(-1) && (from !== channels || names.naming === 'mmdet');
  return { extra: isInput ? 'input' : 'output', extraLevels };
}

function rcnnOptions(
  shapes: CheckpointShapes,
  names: DetectorNames,
  channels: number,
  kind: DetectorKind,
): Omit<CascadeRcnnOptions, 'levels'> {
  const cascade = kind.startsWith('cascade');
  const [box, mask] = cascade ? ['boxHead.0', 'maskHead.0'] : ['boxHead', 'maskHead'];
  const torchvision = names.naming === 'torchvision';
  const { classes, ...boxHead } = boxHeadOptions(shapes, names, box!, channels);
  const masks = kind === 'mask-rcnn' || kind === 'cascade-mask-rcnn';
  const rpnWidth = shapes.of('rpn.conv', [undefined, channels, 3, 3])[0]!;
  return {
    classes,
    channels,
    boxHead,
    rpn: { width: rpnWidth, ...(torchvision && { boxLoss: 'smooth-l1' }) },
    ...(masks && { maskHead: maskHeadOptions(shapes, mask!, channels, torchvision ? classes + 1 : classes) }),
    ...(cascade && { masks }),
    ...(cascade && !boxHead.classAgnostic && { boxLoss: 'giou', boxLossWeight: 10 }),
    ...(torchvision && { definition: 'torchvision', boxLoss: 'smooth-l1', beta: 1 / 9 }),
  };
}

function boxHeadOptions(shapes: CheckpointShapes, names: DetectorNames, head: string, channels: number) {
  const { convs, width } = shapes.convs((i) => `${head}.convs.${i}.conv`, channels);
  const norm = names.has(`${head}.convs.0.norm`);
  const dense = names.count((i) => `${head}.dense.${i}`);
  const [denseChannels, pooled] = shapes.of(`${head}.dense.0`, [undefined, undefined]) as [number, number];
  const poolSize = shapes.whole(`${head}.dense.0`, 'cells a side', Math.sqrt(pooled / width));
  for (let i = 1; i < dense; i++) shapes.of(`${head}.dense.${i}`, [denseChannels, denseChannels]);
  const [logits] = shapes.of(`${head}.cls`, [undefined, denseChannels]) as [number, number];
  const classes = shapes.whole(`${head}.cls`, 'classes beside the background', logits - 1);
  const [deltas] = shapes.of(`${head}.reg`, [undefined, denseChannels]) as [number, number];
  const classAgnostic = deltas === 4 && names.naming === 'mmdet' && classes > 1;
  return { classes, poolSize, convs, convChannels: width, norm, dense, denseChannels, classAgnostic };
}

function maskHeadOptions(shapes: CheckpointShapes, head: string, channels: number, masks: number) {
  const { convs, width } = shapes.convs((i) => `${head}.convs.${i}`, channels);
  shapes.of(`${head}.up`, [width, width, 2, 2]);
  shapes.of(`${head}.logits`, [masks, width, 1, 1]);
  return { convs, convChannels: width };
}

import { type WeightFile, WeightsMismatchError, type WeightsReport } from '@e3va/weight-files';
import type { Level } from '../batch.ts';
import type { Detector } from '../detection.ts';
import { type RetinaNetOptions, retinaNet } from '../retinanet.ts';
import { type CascadeRcnnOptions, cascadeRcnn } from '../roi/cascade-rcnn.ts';
import { fasterRcnn, maskRcnn } from '../roi/faster-rcnn.ts';
import { type DetectorCheckpoint, detectorOptionsOf } from './detector-options.ts';
import type { DetectorKind } from './kind.ts';
import { loadDetectorWeights } from './load-detector-weights.ts';

/** Options of a detector of any kind that go before those that a checkpoint tells. */
export type DetectorOverrides = Partial<Omit<RetinaNetOptions & CascadeRcnnOptions, 'levels' | 'classes'>>;

/** Options of {@link loadDetector}. */
export interface LoadDetectorOptions {
  /** The levels that the backbone puts out, finest first. RetinaNet reads those of a stride of at least 8. */
  levels: readonly Level[];
  /**
   * The names of other classes than those of the file, to be learned: the layers that depend on the classes then start anew. By default
   * the detector has the classes of the file.
   */
  classNames?: readonly string[];
  /** Options in place of those that the file tells or that are usual: thresholds, anchors, losses, a seed. */
  options?: DetectorOverrides;
  /** Whether everything must fit; true by default. */
  strict?: boolean;
}

/** A detector with the weights of a checkpoint. */
export interface LoadedDetector {
  detector: Detector;
  kind: DetectorKind;
  /** The name of each class, in the order of the labels. */
  classNames: string[];
  /** What became of the names of the file. */
  report: WeightsReport;
}

/**
 * Builds the detector that a checkpoint of mmdetection or torchvision holds, by {@link detectorOptionsOf}, and loads its weights, by
 * {@link loadDetectorWeights}. Its backbone is not loaded.
 *
 * @param file The open file; it stays open.
 * @throws WeightsMismatchError if the file is of no such detector or the levels are not those that its neck reads; the
 * errors of the other two.
 *
 * @example
 * ```ts no-run
 * import { loadDetector } from '@e3va/det-heads';
 * import { openWeights } from '@e3va/weight-files';
 *
 * const levels = [96, 192, 384, 768].map((channels, i) => ({ name: `level${i}`, channels, stride: 4 << i }));
 * const file = await openWeights('mask_rcnn_swin-t-p4-w7_fpn_1x_coco.pth');
 * const { detector, classNames } = await loadDetector(file, { levels });
 * console.log(classNames.length, Object.keys(detector.models)); // 80, neck, rpn, boxHead, maskHead
 * await file.close();
 * ```
 */
export async function loadDetector(
  file: WeightFile,
  { levels, classNames, options = {}, strict = true }: LoadDetectorOptions,
): Promise<LoadedDetector> {
  const checkpoint = detectorOptionsOf(file);
  checkLevels(file, checkpoint, levels);
  const { kind } = checkpoint;
  const names = [...(classNames ?? checkpoint.classNames)];
  const detector = build(checkpoint, levels, { ...options, classes: names.length });
  try {
    const classes = classNames ? 'drop' : 'keep';
    const report = await loadDetectorWeights(detector, file, { strict, classes, fresh: true });
    return { detector, kind, classNames: names, report };
  } catch (error) {
    detector.dispose();
    throw error;
  }
}

function build(
  checkpoint: DetectorCheckpoint,
  levels: readonly Level[],
  given: DetectorOverrides & { classes: number },
): Detector {
  if (checkpoint.kind === 'retinanet') return retinaNet({ ...checkpoint.options, ...given, levels });
  const { options, kind } = checkpoint;
  const whole = {
    ...options,
    ...given,
    boxHead: { ...options.boxHead, ...given.boxHead },
    maskHead: { ...options.maskHead, ...given.maskHead },
    rpn: { ...options.rpn, ...given.rpn },
    levels,
  };
  if (kind === 'faster-rcnn') return fasterRcnn(whole);
  return kind === 'mask-rcnn' ? maskRcnn(whole) : cascadeRcnn(whole);
}

/** @throws WeightsMismatchError unless the levels have the channels that the neck of the file reads. */
function checkLevels(
  file: WeightFile,
  { kind, levelChannels }: DetectorCheckpoint,
  levels: readonly Level[],
): void {
  const read = kind === 'retinanet' ? levels.filter(({ stride }) => stride >= 8) : levels;
  if (read.map(({ channels }) => channels).join() === levelChannels.join()) return;
  const finest = kind === 'retinanet' ? ' of a stride of at least 8' : '';
  throw new WeightsMismatchError({
    what: `${file.name}: the levels are not those that its feature pyramid reads`,
    expected: `levels${finest} of ${levelChannels.join(', ')} channels`,
    received: read.map(({ channels }) => channels).join(', ') || 'none',
    fix: 'take the backbone that the detector was trained with',
  });
}

import { loadWeights, type WeightFile, WeightsMismatchError, type WeightsReport } from '@e3va/weight-files';
import type { Detector } from '../detection.ts';
import { Parts } from './kind.ts';
import { DetectorNames } from './naming.ts';
import { detectorTargets } from './targets.ts';

/** Options of {@link loadDetectorWeights}. */
export interface LoadDetectorWeightsOptions {
  /** Whether weights that are missing, of another shape or without a place are an error; true by default. */
  strict?: boolean;
  /**
   * `'keep'` (default): the detector has the classes of the file. `'drop'`: it has others; layers whose size depends on them (class
   * logits, boxes a class, mask logits) keep the weights that they have, and their names in the file are reported as skipped.
   */
  classes?: 'keep' | 'drop';
  /**
   * Whether the detector was just made and is thrown away on an error: then no more than one array is held beside it. Otherwise
   * nothing is changed on an error.
   */
  fresh?: boolean;
}

/**
 * Loads a checkpoint of mmdetection (2 or 3) or torchvision into the neck and the heads of a detector of the same structure.
 * Weights of the backbone, `backbone.*`, are skipped; those of its feature pyramid are not.
 *
 * What differs is brought into our form: regions are flattened channels last, and the background is the last class of
 * an R-CNN, where torchvision counts it as its first and has boxes and masks for it. Outputs equal torchvision's only with
 * `definition: 'torchvision'`; {@link loadDetector} sets it, and all else that the file tells.
 *
 * @param file The open file; it stays open.
 * @returns Names of the file that were loaded, missing and skipped.
 * @throws WeightsMismatchError if the file is of no such detector or of another one, or, unless `strict` is false, if
 * something does not fit. WeightFileError if it is damaged.
 *
 * @example
 * ```ts no-run
 * import { loadDetectorWeights, maskRcnn } from '@e3va/det-heads';
 * import { openWeights } from '@e3va/weight-files';
 *
 * const levels = [96, 192, 384, 768].map((channels, i) => ({ name: `level${i}`, channels, stride: 4 << i }));
 * const detector = maskRcnn({ levels, classes: 3 });
 * const file = await openWeights('mask_rcnn_swin-t-p4-w7_fpn_1x_coco.pth');
 * const report = await loadDetectorWeights(detector, file, { classes: 'drop' });
 * console.log(report.skipped.filter((name) => !name.startsWith('backbone.'))); // fc_cls, fc_reg, conv_logits
 * await file.close();
 * ```
 */
export async function loadDetectorWeights(
  detector: Detector,
  file: WeightFile,
  { strict = true, classes = 'keep', fresh = false }: LoadDetectorWeightsOptions = {},
): Promise<WeightsReport> {
  const names = new DetectorNames(file);
  if (strict) checkKind(detector, names, file);
  const dropped = (layer: string) => classes === 'drop' && dependsOnClasses(layer, detector, names, file);
  const left = new Set(
    classLayers(detector)
      .filter(dropped)
      .map((layer) => names.moduleOf(layer)),
  );
  const targets = detectorTargets(detector, names, dropped);
  const isLeft = (name: string) => left.has(name.slice(0, name.lastIndexOf('.')));
  const mustHavePlace = (name: string) => names.isPart(name) && !isLeft(name);
  return loadWeights(file, targets, { strict, mustHavePlace, fresh });
}

/** The layers whose size may depend on the number of classes. */
function classLayers({ models }: Detector): string[] {
  return Object.keys(models).flatMap((model) => {
    const prefix = model.replace(/(\d+)$/, '.$1');
    if (model === 'head') return ['head.class.logits'];
    if (model.startsWith('boxHead')) return [`${prefix}.cls`, `${prefix}.reg`];
    return model.startsWith('maskHead') ? [`${prefix}.logits`] : [];
  });
}

/** A box head's deltas do not depend on the classes where both sides have one box for all. */
function dependsOnClasses(
  layer: string,
  { models }: Detector,
  names: DetectorNames,
  file: WeightFile,
): boolean {
  if (layer === 'head.class.logits' || /^maskHead.*\.logits$/.test(layer) || /\.cls$/.test(layer))
    return true;
  const box = /^boxHead(?:\.(\d+))?\.reg$/.exec(layer);
  if (!box) return false;
  const outputs = models[`boxHead${box[1] ?? ''}`]?.outputs[1]?.shape[1];
  return outputs !== 4 || file.entries.get(`${names.moduleOf(layer)}.weight`)?.shape[0] !== 4;
}

/** @throws WeightsMismatchError if a file and a detector are of different kinds. */
function checkKind(detector: Detector, names: DetectorNames, file: WeightFile): void {
  const [own, theirs] = [`${Parts.ofDetector(detector)}`, `${Parts.ofFile(names)}`];
  if (own === theirs) return;
  throw new WeightsMismatchError({
    what: `${file.name} is another kind of detector`,
    expected: own,
    received: theirs,
    fix: 'build the detector that the file tells of, as loadDetector does',
  });
}

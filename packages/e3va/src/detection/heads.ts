import type { Adapted } from '@e3va/adapter-core';
import {
  cascadeRcnn,
  type Detector,
  detectorOptionsOf,
  fasterRcnn,
  loadDetector,
  maskRcnn,
  retinaNet,
} from '@e3va/det-heads';
import { checkTask } from '../models/check-task.ts';
import { otherClasses, withModelFiles } from '../models/open.ts';
import type { DetectionModelRecipe } from './detection-model.ts';

/** Neck and heads, and the part of the recipe that they were made from. */
interface Heads {
  detector: Detector;
  /** Where they start from a trained detector, `name` is its kind. */
  recipe: DetectionModelRecipe['head'];
  /** What was decided without being asked. */
  notes: string[];
}

/**
 * Neck and heads of a recipe on the levels of a backbone: with random weights that the seed decides, or those of the trained
 * detector that the recipe names. What depends on the classes is kept where their number is the same.
 */
export async function detectionHeads(
  recipe: DetectionModelRecipe,
  { levels }: Pick<Adapted, 'levels'>,
  classes: readonly string[],
): Promise<Heads> {
  const { head, train } = recipe;
  const shared = { seed: train.seed, ...thresholds(recipe) };
  if (head.from === undefined) {
    return {
      detector: freshDetector(recipe, { ...shared, levels, classes: classes.length }),
      recipe: head,
      notes: [],
    };
  }
  return withModelFiles(head.from, async ({ weights }) => {
    checkTask(weights, 'detection');
    const { kind, classNames } = detectorOptionsOf(weights);
    const sameCount = classNames.length === classes.length;
    const { detector } = await loadDetector(weights, {
      levels,
      options: shared,
      ...(!sameCount && { classNames: classes }),
    });
    const notes = sameCount ? [] : [otherClasses(head.from!, classNames.length, classes.length)];
    return { detector, recipe: { ...head, name: kind }, notes };
  });
}

function thresholds({ eval: { maxDetections, scoreThreshold } }: Pick<DetectionModelRecipe, 'eval'>) {
  return { maxDetections, ...(scoreThreshold !== undefined && { scoreThreshold }) };
}

function freshDetector(
  { head }: DetectionModelRecipe,
  given: { levels: Adapted['levels']; classes: number; seed: number },
): Detector {
  const options = {
    ...given,
    preset: head.preset,
    ...(head.channels !== undefined && { channels: head.channels }),
    ...(head.anchorScale !== undefined && { anchorScale: head.anchorScale }),
  };
  switch (head.name) {
    case 'retinanet':
      return retinaNet(options);
    case 'faster-rcnn':
      return fasterRcnn(options);
    case 'mask-rcnn':
      return maskRcnn(options);
    case 'cascade-rcnn':
      return cascadeRcnn({ ...options, masks: false });
    case 'cascade-mask-rcnn':
      return cascadeRcnn({ ...options, masks: true });
  }
}

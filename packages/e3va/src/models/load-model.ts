import { type DetectorCheckpoint, detectorOptionsOf } from '@e3va/det-heads';
import type { ModelFiles } from '@e3va/hub';
import { uperNetOptionsOf } from '@e3va/seg-heads';
import { useBackend } from '../backend.ts';
import type { DetectionModel } from '../detection/detection-model.ts';
import { ModelError } from '../errors.ts';
import { isPublished, readPublished } from '../publish/published.ts';
import { parseRecipe } from '../recipe/parse.ts';
import type { Recipe } from '../recipe/schema.ts';
import type { Checkpoint } from '../run/checkpoint.ts';
import { applyCheckpoint } from '../run/load-run.ts';
import type { Segmenter } from '../segmentation/segmenter.ts';
import type { ClassInfo } from '../task.ts';
import { taskOf } from '../tasks.ts';
import { isBackbone } from './catalogue.ts';
import { classNames } from './class-names.ts';
import { withModelFiles } from './open.ts';

/** A whole pretrained model, ready to predict. */
export interface LoadedModel<T extends Recipe['task'] = Recipe['task']> {
  /** The recipe that it amounts to: backbone and head from the checkpoint, nothing adapted. */
  recipe: Recipe;
  /** A {@link Segmenter} or a {@link DetectionModel}; `model.info.classes` are the names of its classes. */
  model: T extends 'segmentation' ? Segmenter : DetectionModel;
}

/** How {@link loadModel} loads. */
export interface LoadModelOptions<T extends Recipe['task'] = Recipe['task']> {
  /** The task that the model must be of. Default: any. */
  task?: T;
  /** Backend to run on. Default: the fastest here. */
  backend?: Recipe['backend'] | undefined;
}

/**
 * Loads a whole segmenter or detector: UPerNet of Hugging Face or mmsegmentation, RetinaNet, Faster, Mask or Cascade R-CNN of
 * mmdetection, each on a backbone that is known here; or what somebody trained with e3va and published by `e3va push`.
 *
 * For models of other libraries, images are resized as those do in testing: a short side of 512 and a long one of at most 2048 for segmenters, 800 and 1333
 * for detectors.
 *
 * @param source A name of {@link models}, a model id of the hub (with `@revision` for a branch, tag or commit), a folder or a file.
 * @throws ModelError if the checkpoint holds no such model; the errors of `openModel` of `@e3va/hub` and of the loaders.
 *
 * @example
 * ```ts no-run
 * import { readImage } from '@e3va/datasets';
 * import { loadModel, predictImage } from 'e3va';
 *
 * const { model } = await loadModel('openmmlab/upernet-swin-tiny', { task: 'segmentation' });
 * const labels = await predictImage(model, await readImage('photo.jpg'));
 * console.log(model.info.classes[labels[0]!]); // 'wall', 'sky', …
 * ```
 */
export async function loadModel<T extends Recipe['task']>(
  source: string,
  { task, backend = 'auto' }: LoadModelOptions<T> = {},
): Promise<LoadedModel<T>> {
  if (isBackbone(source)) throw backboneAlone(source);
  const found = await withModelFiles(source, (files) => describe(files, source));
  const { recipe, info, checkpoint } = found;
  if (task !== undefined && recipe.task !== task) {
    throw new ModelError({
      what: `${source} is a model of another task`,
      expected: task,
      received: recipe.task,
    });
  }
  await useBackend(backend);
  const model = await taskOf(recipe).createModel(recipe, info);
  try {
    if (checkpoint) applyCheckpoint(model, checkpoint);
  } catch (error) {
    model.dispose();
    throw error;
  }
  return { recipe, model: model as LoadedModel<T>['model'] };
}

/** What a checkpoint holds. */
interface Description {
  recipe: Recipe;
  info: ClassInfo;
  /** Adapter and head, of a model that e3va trained. */
  checkpoint?: Checkpoint;
}

async function describe({ weights, config, name }: ModelFiles, source: string): Promise<Description> {
  if (isPublished(weights)) {
    const checkpoint = await readPublished(weights);
    return { recipe: checkpoint.info.recipe, info: checkpoint.info, checkpoint };
  }
  if ([...weights.entries.keys()].some((key) => key.startsWith('decode_head.'))) {
    const { classes: count } = uperNetOptionsOf(weights, config);
    const classes = classNames(weights, config, count);
    return { recipe: pretrainedRecipe('segmentation', source), info: { classes } };
  }
  const { classNames: classes } = detectorOf(weights, name);
  return { recipe: pretrainedRecipe('detection', source), info: { classes } };
}

function detectorOf(weights: ModelFiles['weights'], name: string): DetectorCheckpoint {
  try {
    return detectorOptionsOf(weights);
  } catch (cause) {
    const some = [...weights.entries.keys()].slice(0, 4).join(', ');
    throw backboneAlone(name, `${some}, …`, cause);
  }
}

function backboneAlone(name: string, received?: string, cause?: unknown): ModelError {
  return new ModelError(
    {
      what: `${name} holds neither a segmenter nor a detector that is known here`,
      expected: 'UPerNet (decode_head…), RetinaNet (bbox_head…) or an R-CNN (rpn_head…, roi_head…)',
      received,
      fix: `a backbone alone is for training: e3va train --backbone ${name}`,
    },
    { cause },
  );
}

/** Sides of the images in the testing of mmsegmentation and mmdetection. */
const testSides = {
  segmentation: { shortSide: 512, maxSide: 2048 },
  detection: { shortSide: 800, maxSide: 1333 },
};

function pretrainedRecipe(task: Recipe['task'], source: string): Recipe {
  const { shortSide, maxSide } = testSides[task];
  const sides = { 'eval.shortSide': `${shortSide}`, 'eval.maxSide': `${maxSide}` };
  return parseRecipe('', { flags: { task, model: source, method: 'frozen', ...sides } });
}

import type { Level } from '@e3va/adapter-core';
import {
  fcnHead,
  type HeadPart,
  loadHeadWeights,
  type UperNetStructure,
  uperNet,
  uperNetOptionsOf,
} from '@e3va/seg-heads';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import { checkTask } from '../models/check-task.ts';
import { otherClasses, withModelFiles } from '../models/open.ts';
import type { SegmentationRecipe } from '../recipe/schema.ts';

type HeadRecipe = SegmentationRecipe['head'];

/** The heads of a segmenter. */
interface Heads {
  /** UPerNet. */
  head: LayersModel;
  /** The auxiliary head, for training only. */
  aux: LayersModel | undefined;
  /** The part of the recipe that they were made from; where they start from a trained model, its structure. */
  recipe: HeadRecipe;
  /** What was decided without being asked. */
  notes: string[];
}

/**
 * The heads of a recipe on some levels: with random weights that the seed decides, or those of the trained model that the recipe
 * names. A trained classifier is kept where the number of classes is the same.
 */
export async function segmentationHeads(
  recipe: HeadRecipe,
  levels: readonly Level[],
  classes: number,
  seed: number,
): Promise<Heads> {
  if (recipe.from === undefined) return freshHeads(recipe, levels, classes, seed);
  return withModelFiles(recipe.from, async ({ weights, config }) => {
    checkTask(weights, 'segmentation');
    const structure = uperNetOptionsOf(weights, config);
    const heads = freshHeads(withStructure(recipe, structure), levels, classes, seed);
    const keep = structure.classes === classes ? 'keep' : 'drop';
    if (keep === 'drop') heads.notes.push(otherClasses(recipe.from!, structure.classes, classes));
    const load = (head: LayersModel, part: HeadPart) =>
      loadHeadWeights(head, weights, { part, classes: keep });
    try {
      await load(heads.head, 'decode_head');
      if (heads.aux && structure.aux) await load(heads.aux, 'auxiliary_head');
    } catch (error) {
      heads.head.dispose();
      heads.aux?.dispose();
      throw error;
    }
    return heads;
  });
}

/** The recipe with the structure of a trained model; an auxiliary head only where both have one. */
function withStructure(recipe: HeadRecipe, { channels, poolScales, aux }: UperNetStructure): HeadRecipe {
  return { ...recipe, channels, poolScales, ...(recipe.aux && aux && { aux: { ...recipe.aux, ...aux } }) };
}

function freshHeads(recipe: HeadRecipe, levels: readonly Level[], classes: number, seed: number): Heads {
  const { channels, poolScales, dropout, aux } = recipe;
  const head = uperNet({ levels, classes, seed, channels, poolScales, dropout });
  const auxHead =
    aux &&
    fcnHead({
      level: levels[Math.min(aux.level, levels.length - 1)]!,
      classes,
      channels: aux.channels,
      convs: aux.convs,
      dropout,
      seed: seed + 1,
    });
  return { head, aux: auxHead, recipe, notes: [] };
}

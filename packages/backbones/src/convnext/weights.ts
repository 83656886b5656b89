import {
  loadWeights,
  reshaped,
  type WeightFile,
  type WeightSource,
  type WeightsReport,
  type WeightTarget,
} from '@e3va/weight-files';
import type { LayersModel, LayerVariable } from '@tensorflow/tfjs-layers';
import { BackboneWeightsError } from '../errors.ts';
import {
  checkShapes,
  countIn,
  type FileNaming,
  fileLayer,
  findNaming,
  mustHavePlace,
  type Naming,
  namingOf,
  partsOf,
  shapeIn,
  sourceOf,
} from '../weights/naming.ts';
import type { ConvNeXtConfig } from './config.ts';

interface ConvNeXtNaming extends Naming {
  /** The library's name of the factors on a branch. */
  factors: string;
}

/** Sources: transformers up to 4.57; timm from 0.6 on; the official repository. */
const namings: readonly ConvNeXtNaming[] = [
  {
    library: 'transformers',
    signs: ['encoder.stages.0.layers.0.dwconv.weight', 'embeddings.patch_embeddings.weight'],
    rules: [
      [/^stem\.conv$/, 'embeddings.patch_embeddings'],
      [/^stem\.norm$/, 'embeddings.layernorm'],
      [/^norm(\d)$/, (_, s) => `hidden_states_norms.stage${Number(s) + 1}`],
      [/^stages\./, 'encoder.stages.'],
      [/\.downsample\.norm$/, '.downsampling_layer.0'],
      [/\.downsample\.conv$/, '.downsampling_layer.1'],
      [/\.blocks\.(\d+)\.norm$/, '.blocks.$1.layernorm'],
      [/\.blocks\./, '.layers.'],
    ],
    factors: 'layer_scale_parameter',
    heads: /^(layernorm|classifier|hidden_states_norms)\./,
  },
  {
    library: 'timm',
    signs: ['stages.0.blocks.0.conv_dw.weight', 'stem.0.weight'],
    rules: [
      [/^stem\.conv$/, 'stem.0'],
      [/^stem\.norm$/, 'stem.1'],
      [/\.downsample\.norm$/, '.downsample.0'],
      [/\.downsample\.conv$/, '.downsample.1'],
      [/\.dwconv$/, '.conv_dw'],
      [/\.pwconv/, '.mlp.fc'],
    ],
    factors: 'gamma',
    heads: /^head\./,
  },
  {
    library: 'the official repository',
    signs: ['downsample_layers.0.0.weight', 'stages.0.0.dwconv.weight'],
    rules: [
      [/^stem\.conv$/, 'downsample_layers.0.0'],
      [/^stem\.norm$/, 'downsample_layers.0.1'],
      [/^stages\.(\d+)\.downsample\.norm$/, 'downsample_layers.$1.0'],
      [/^stages\.(\d+)\.downsample\.conv$/, 'downsample_layers.$1.1'],
      [/\.blocks\./, '.'],
    ],
    factors: 'gamma',
    heads: /^(norm|head)\./,
  },
];

/** Whether a file holds a ConvNeXt, or something that is named like one. */
export function isConvNeXt(file: WeightFile): boolean {
  return findNaming(file, namings) !== undefined;
}

/**
 * The architecture of the ConvNeXt in a weight file, told by the names and shapes of its tensors.
 *
 * @param file An open weight file with the names of transformers, timm or the official repository.
 * @throws {@link BackboneWeightsError} if it holds none, or a ConvNeXt V2.
 */
export function convNeXtConfigOf(file: WeightFile): ConvNeXtConfig {
  const naming = namingOf(file, namings, 'ConvNeXt');
  refuseV2(file);
  const weight = (layer: string) => `${fileLayer(layer, naming)}.weight`;
  const depths: number[] = [];
  for (let s = 0; file.entries.has(weight(`stages.${s}.blocks.0.dwconv`)); s++) {
    depths.push(countIn(file, (b) => weight(`stages.${s}.blocks.${b}.dwconv`)));
  }
  const channels = depths.map((_, s) => shapeIn(file, weight(`stages.${s}.blocks.0.dwconv`))[0]!);
  depths.forEach((depth, s) => {
    const size = channels[s]!;
    for (let b = 0; b < depth; b++) {
      checkShapes(file, { [weight(`stages.${s}.blocks.${b}.pwconv1`)]: [4 * size, size] });
    }
  });
  const [, , patch = 0] = shapeIn(file, weight('stem.conv'));
  checkShapes(file, { [weight('stem.conv')]: [channels[0]!, 3, patch, patch] });
  const factors = file.entries.has(factorsName('stages.0.blocks.0.scale', naming));
  return { channels, depths, patch, ...(!factors && { layerScale: 0 }) };
}

function refuseV2(file: WeightFile): void {
  const sign = [...file.entries.keys()].find((name) => /\.grn\./.test(name));
  if (sign === undefined) return;
  throw new BackboneWeightsError({
    what: `${file.name} holds a ConvNeXt V2, which has other layers`,
    expected: 'a ConvNeXt of arXiv 2201.03545',
    received: sign,
  });
}

/**
 * The weights of a ConvNeXt and where they stand in a file of any known naming. Out-norms that the file lacks start as the
 * identity.
 *
 * @throws {@link BackboneWeightsError} if the file holds no ConvNeXt.
 */
export function convNeXtTargets(model: LayersModel, file: WeightFile): WeightTarget[] {
  const naming = namingOf(file, namings, 'ConvNeXt');
  return model.layers.flatMap((layer) =>
    layer.weights.map((variable) => {
      const source = sourceIn(variable, naming, (layer as { size?: number }).size);
      return { variable, source };
    }),
  );
}

function sourceIn(variable: LayerVariable, naming: FileNaming<ConvNeXtNaming>, patch?: number): WeightSource {
  const [layer, weight] = partsOf(variable);
  const shape = variable.shape as number[];
  if (layer.endsWith('.scale')) return reshaped(factorsName(layer, naming), shape);
  const source = sourceOf(weight, fileLayer(layer, naming), shape, patch);
  if (!/^norm\d$/.test(layer)) return source;
  return { ...source, otherwise: weight === 'gamma' ? 1 : 0 }; // classifiers have none
}

function factorsName(layer: string, naming: FileNaming<ConvNeXtNaming>): string {
  return fileLayer(layer.replace(/scale$/, naming.naming.factors), naming);
}

/**
 * Loads the weights of a file into a ConvNeXt.
 *
 * @param model A model of {@link convNeXt}.
 * @param file An open weight file with the names of transformers (`ConvNextModel`, `ConvNextBackbone`,
 * `ConvNextForImageClassification`, behind any prefix), timm or the official repository. Classifiers are skipped.
 * @param options `strict`: whether a missing, misshapen or homeless weight is an error, default true; `fresh` as in `loadWeights`.
 * @returns What was loaded, missing and skipped.
 * @throws {@link BackboneWeightsError} if the file holds no ConvNeXt; WeightsMismatchError if it does not fit.
 *
 * @example
 * ```ts no-run
 * import { convNeXt, convNeXtPresets, loadConvNeXtWeights } from '@e3va/backbones';
 * import { openWeights } from '@e3va/weight-files';
 *
 * const model = convNeXt(convNeXtPresets.tiny);
 * const report = await loadConvNeXtWeights(model, await openWeights('convnext-tiny.safetensors'));
 * console.log(report.skipped); // the classifier
 * ```
 */
export async function loadConvNeXtWeights(
  model: LayersModel,
  file: WeightFile,
  { strict = true, fresh = false }: { strict?: boolean; fresh?: boolean } = {},
): Promise<WeightsReport> {
  refuseV2(file);
  const targets = convNeXtTargets(model, file);
  const place = mustHavePlace(namingOf(file, namings, 'ConvNeXt'));
  const stages = model.layers.filter(({ name }) => /^stages\.\d+\.blocks\.0\.add$/.test(name)).length;
  return loadWeights(file, targets, {
    strict,
    fresh,
    mustHavePlace: (name) => place(name) && stageOf(name) < stages,
  });
}

/** The stage that a name of the file belongs to; -1 for the stem. */
function stageOf(name: string): number {
  const [, index = -1] = /(?:stages|downsample_layers)\.(\d+)\./.exec(name) ?? [];
  return Number(index);
}

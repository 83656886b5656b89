import {
  floats,
  linears,
  loadWeights,
  reshaped,
  vectors,
  type WeightFile,
  type WeightSource,
  type WeightsReport,
  type WeightTarget,
} from '@e3va/weight-files';
import type { LayersModel, LayerVariable } from '@tensorflow/tfjs-layers';
import { BackboneConfigError, BackboneWeightsError } from '../errors.ts';
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
import type { ViTConfig } from './config.ts';
import { gridOf, positionResize } from './position-resize.ts';

interface ViTNaming extends Naming {
  /** What replaces `qkv` where the file keeps the three matrices apart. */
  parts?: readonly [string, string, string];
  /** The weights that do not end in `weight` or `bias`. */
  tokens: Record<'cls_token' | 'position_embeddings' | 'register_tokens' | 'scale', string>;
  /** Added to the variance in norms if no configuration says it. */
  epsilon: number;
}

const embeddings = [
  [/^patch_embed\.proj$/, 'embeddings.patch_embeddings.projection'],
  [/^embed$/, 'embeddings'],
  [/^norm$/, 'layernorm'],
  [/^blocks\./, 'encoder.layer.'],
  [/\.attn\.qkv$/, '.attention.attention.qkv'],
  [/\.attn\.proj$/, '.attention.output.dense'],
  [/\.attn\.scale$/, '.layer_scale1'],
  [/\.mlp\.scale$/, '.layer_scale2'],
] satisfies Naming['rules'];

const transformers = {
  parts: ['query', 'key', 'value'],
  tokens: {
    cls_token: 'cls_token',
    position_embeddings: 'position_embeddings',
    register_tokens: 'register_tokens',
    scale: 'lambda1',
  },
  heads: /^(pooler|classifier|embeddings\.mask_token)\b/,
} as const;

const timm = {
  rules: [
    [/^embed$/, ''],
    [/\.attn\.scale$/, '.ls1'],
    [/\.mlp\.scale$/, '.ls2'],
  ],
  epsilon: 1e-6,
  heads: /^(head|fc_norm|pre_logits|mask_token)\b/,
} satisfies Partial<ViTNaming>;

const timmTokens = { cls_token: 'cls_token', position_embeddings: 'pos_embed', scale: 'gamma' };

/** Sources: transformers up to 4.57; timm 0.9 and later; the official repository of DINOv2. */
const namings: readonly ViTNaming[] = [
  {
    ...transformers,
    library: 'transformers',
    signs: ['embeddings.cls_token', 'encoder.layer.0.layernorm_before.weight'],
    rules: [
      ...embeddings,
      [/\.norm1$/, '.layernorm_before'],
      [/\.norm2$/, '.layernorm_after'],
      [/\.mlp\.fc1$/, '.intermediate.dense'],
      [/\.mlp\.fc2$/, '.output.dense'],
    ],
    epsilon: 1e-12,
  },
  {
    ...transformers,
    library: 'transformers',
    signs: ['embeddings.cls_token', 'encoder.layer.0.layer_scale1.lambda1'],
    rules: embeddings,
    epsilon: 1e-6,
  },
  {
    ...timm,
    library: 'timm',
    signs: ['reg_token', 'blocks.0.attn.qkv.weight'],
    tokens: { ...timmTokens, register_tokens: 'reg_token' },
  },
  {
    ...timm,
    library: 'the official repositories',
    signs: ['cls_token', 'blocks.0.attn.qkv.weight'],
    tokens: { ...timmTokens, register_tokens: 'register_tokens' },
  },
];

/** Whether a file holds a ViT, or something that is named like one. */
export function isViT(file: WeightFile): boolean {
  return findNaming(file, namings) !== undefined;
}

/**
 * The architecture of the ViT in a weight file, told by the names and shapes of its tensors.
 *
 * @param file An open weight file with the names of transformers (ViT, DINOv2 with and without registers), timm or the official
 * repositories.
 * @param config What stands in config.json, for what shapes do not tell: `num_attention_heads` and `layer_norm_eps`. Without
 * it, 64 channels make a head.
 * @throws {@link BackboneWeightsError} if the file holds none; {@link BackboneConfigError} for MLPs of another kind
 * (SwiGLU of DINOv2 giant, another activation than GELU).
 */
export function vitConfigOf(file: WeightFile, config: Record<string, unknown> = {}): ViTConfig {
  const naming = namingOf(file, namings, 'ViT');
  const said = (config.backbone_config ?? config) as Record<string, unknown>;
  refuseOther(file, said);
  const name = (layer: string, weight = 'weight') => joined(fileLayer(layer, naming), weight);
  const [channels = 0, , patch = 0] = shapeIn(file, name('patch_embed.proj'));
  const [hidden = 0] = shapeIn(file, name('blocks.0.mlp.fc1'));
  const depth = countIn(file, (b) => name(`blocks.${b}.norm1`));
  for (let b = 0; b < depth; b++) {
    checkShapes(file, {
      [name(`blocks.${b}.attn.proj`)]: [channels, channels],
      [name(`blocks.${b}.mlp.fc1`)]: [hidden, channels],
    });
  }
  const tokens = tokenName('register_tokens', naming);
  const registers = file.entries.get(tokens)?.shape[1] ?? 0;
  const table = tokenName('position_embeddings', naming);
  checkShapes(file, {
    [name('patch_embed.proj')]: [channels, 3, patch, patch],
    [table]: [1, shapeIn(file, table)[1] ?? 0, channels],
    ...(file.entries.has(tokens) && { [tokens]: [1, registers, channels] }),
  });
  return {
    channels,
    depth,
    heads: (said.num_attention_heads as number | undefined) ?? channels / 64,
    patch,
    grid: positionsIn(file, naming).grid,
    mlpRatio: hidden / channels,
    epsilon: (said.layer_norm_eps as number | undefined) ?? naming.naming.epsilon,
    ...(file.entries.has(factorsName('blocks.0.attn.scale', naming)) && { layerScale: 1 }),
    ...(registers > 0 && { registers, antialias: true }),
  };
}

function refuseOther(file: WeightFile, { hidden_act: activation = 'gelu' }: Record<string, unknown>): void {
  const gated = [...file.entries.keys()].find((name) => /\.mlp\.(weights_in|w12|w3)\./.test(name));
  if (gated === undefined && activation === 'gelu') return;
  throw new BackboneConfigError({
    what: `${file.name} holds a ViT whose MLPs are of another kind`,
    expected: 'two linear layers with GELU between',
    received: gated ?? `hidden_act ${JSON.stringify(activation)}`,
  });
}

/** The grid of the position table in a file. */
function positionsIn(file: WeightFile, naming: FileNaming<ViTNaming>) {
  const shape = shapeIn(file, tokenName('position_embeddings', naming));
  const found = gridOf(shape[1] ?? 0);
  if (found) return found;
  throw new BackboneWeightsError({
    what: `${file.name}: the positions are those of no square grid`,
    expected: '[1, 1 + grid², channels]',
    received: `[${shape.join(', ')}]`,
  });
}

/**
 * The weights of a ViT and where they stand in a file of any known naming. A position table of another grid is resized. The
 * layers of a simple feature pyramid stand in no file and keep their values.
 *
 * @throws {@link BackboneWeightsError} if the file holds no ViT.
 */
export function vitTargets(model: LayersModel, file: WeightFile): WeightTarget[] {
  const naming = namingOf(file, namings, 'ViT');
  const { withClass } = positionsIn(file, naming);
  const biased = [...file.entries.keys()].some((name) => /\.(query|qkv)\.bias$/.test(name));
  return model.layers.flatMap((layer) => {
    if (/^(pyramid\.|level\d$)/.test(layer.name)) return [];
    const { size, antialias = false } = layer as { size?: number; antialias?: boolean };
    return layer.weights.map((variable) => {
      const source = sourceIn(variable, naming, { patch: size, antialias, withClass });
      const unbiased = !biased && source.parts[0]!.name.endsWith('.bias') && /\.attn\.qkv$/.test(layer.name);
      return { variable, source: unbiased ? { ...source, otherwise: 0 } : source };
    });
  });
}

/** What the source of a weight depends on beside its name and shape. */
interface SourceContext {
  patch: number | undefined;
  antialias: boolean;
  withClass: boolean;
}

function sourceIn(
  variable: LayerVariable,
  naming: FileNaming<ViTNaming>,
  { patch, ...table }: SourceContext,
): WeightSource {
  const [layer, weight] = partsOf(variable);
  const shape = variable.shape as number[];
  const { parts } = naming.naming;
  if (layer.endsWith('.scale')) return reshaped(factorsName(layer, naming), shape);
  if (weight === 'position_embeddings') return positions(tokenName(weight, naming), shape, table);
  if (layer === 'embed') {
    const inFile = weight === 'cls_token' ? [1, 1, ...shape] : [1, ...shape];
    return reshaped(tokenName(weight as 'cls_token' | 'register_tokens', naming), inFile);
  }
  if (layer.endsWith('.qkv') && parts) {
    const kind = weight === 'kernel' ? 'weight' : 'bias';
    const names = parts.map((part) => `${fileLayer(layer, naming).replace(/qkv$/, part)}.${kind}`);
    return weight === 'kernel' ? linears(names, shape as [number, number]) : vectors(names, shape[0]!);
  }
  return sourceOf(weight, fileLayer(layer, naming), shape, patch);
}

function positions(
  name: string,
  shape: readonly number[],
  table: { antialias: boolean; withClass: boolean },
): WeightSource {
  const [rows, channels] = shape as [number, number];
  const resize = positionResize(Math.sqrt(rows - 1), channels, table);
  if (table.withClass) return { ...reshaped(name, [1, rows, channels]), resize };
  return {
    parts: [{ name, shape: [1, rows - 1, channels] }],
    resize,
    convert: ([array]) => {
      const all = new Float32Array(rows * channels); // nothing is added to the class token
      all.set(floats(array!), channels);
      return all;
    },
  };
}

function tokenName(weight: keyof ViTNaming['tokens'], naming: FileNaming<ViTNaming>): string {
  const layer = fileLayer('embed', naming);
  return weight === 'scale' ? weight : joined(layer, naming.naming.tokens[weight]);
}

function factorsName(layer: string, naming: FileNaming<ViTNaming>): string {
  return `${fileLayer(layer, naming)}.${naming.naming.tokens.scale}`;
}

/** A layer's name and a weight's; timm's tokens stand in no layer. */
function joined(layer: string, weight: string): string {
  return layer === '' || layer.endsWith('.') ? layer + weight : `${layer}.${weight}`;
}

/**
 * Loads the weights of a file into a ViT.
 *
 * @param model A model of {@link vit}.
 * @param file An open weight file with the names of transformers (`ViTModel`, `ViTForImageClassification`, `Dinov2Model`,
 * `Dinov2Backbone`, `Dinov2WithRegistersModel`, behind any prefix), timm or the official repositories. Classifiers, poolers and
 * mask tokens are skipped.
 * @param options `strict`: whether a missing, misshapen or homeless weight is an error, default true; `fresh` as in `loadWeights`.
 * @returns What was loaded, resized, missing and skipped.
 * @throws {@link BackboneWeightsError} if the file holds no ViT; WeightsMismatchError if it does not fit.
 *
 * @example
 * ```ts no-run
 * import { loadViTWeights, vit, vitConfigOf } from '@e3va/backbones';
 * import { openWeights } from '@e3va/weight-files';
 *
 * const file = await openWeights('dinov2-small.safetensors');
 * const model = vit(vitConfigOf(file));
 * console.log((await loadViTWeights(model, file)).skipped); // the mask token
 * ```
 */
export async function loadViTWeights(
  model: LayersModel,
  file: WeightFile,
  { strict = true, fresh = false }: { strict?: boolean; fresh?: boolean } = {},
): Promise<WeightsReport> {
  const targets = vitTargets(model, file);
  const place = mustHavePlace(namingOf(file, namings, 'ViT'));
  const blocks = model.layers.filter(({ name }) => /^blocks\.\d+\.add2$/.test(name)).length;
  return loadWeights(file, targets, {
    strict,
    fresh,
    mustHavePlace: (name) => place(name) && blockOf(name) < blocks,
  });
}

/** The block that a name of the file belongs to; -1 for the embeddings and the last norm. */
function blockOf(name: string): number {
  const [, index = -1] = /(?:blocks|layer)\.(\d+)\./.exec(name) ?? [];
  return Number(index);
}

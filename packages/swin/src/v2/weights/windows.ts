import type { WeightFile } from '@e3va/weight-files';
import { SwinWeightsError } from '../../errors.ts';
import type { FileNaming } from '../../weights/file-naming.ts';
import { checkV2Config, type SwinV2Config } from '../config.ts';

/** What no shape of a weight tells: windows, and the size of the images. */
type V2Windows = Pick<SwinV2Config, 'window' | 'imageSize' | 'pretrainedWindows'>;

/** The part of a Swin V2's configuration that its weights tell. */
export type V2Shapes = Omit<SwinV2Config, keyof V2Windows> & { patch: number };

type Json = Record<string, unknown>;

/** Settings of transformers that this architecture cannot have otherwise. */
const fixed: readonly [key: string, value: unknown][] = [
  ['qkv_bias', true],
  ['use_absolute_embeddings', false],
  ['hidden_act', 'gelu'],
  ['layer_norm_eps', 1e-5],
];

/** Side of the images where the file does not state it: the default of transformers. */
const transformersSize = 224;

/**
 * Windows from the configuration file of transformers (of a Swin V2, or of a model with one as its `backbone_config`).
 *
 * @returns undefined if it is another file.
 * @throws {@link SwinWeightsError} if it asks for what Swin V2 does not have here.
 */
export function windowsOfTransformers(config: Json): V2Windows | undefined {
  const own = (config.backbone_config ?? config) as Json;
  if (typeof own.window_size !== 'number') return undefined;
  for (const [key, value] of fixed) {
    if (own[key] === undefined || own[key] === value) continue;
    throw new SwinWeightsError({
      what: `a Swin V2 whose configuration has another '${key}' is not supported`,
      expected: JSON.stringify(value),
      received: JSON.stringify(own[key]),
    });
  }
  return {
    window: own.window_size,
    imageSize: (first(own.image_size) ?? transformersSize) as number, // checked when the model is built
    ...pretrained(own.pretrained_window_sizes),
  };
}

/** Windows from the configuration file of timm, whose `architecture` names them: `swinv2_base_window12to16_192to256`. */
export function windowsOfTimm(config: Json, { depths, patch }: V2Shapes): V2Windows | undefined {
  const match = /^swinv2_\w*window(\d+)(?:to(\d+))?_(\d+)(?:to(\d+))?/.exec(String(config.architecture));
  if (!match) return undefined;
  const [, from, to, fromSize, toSize] = match.map(Number) as [number, number, number, number, number];
  const args = (config.model_args ?? {}) as Json;
  const input = ((config.pretrained_cfg ?? {}) as Json).input_size;
  const maps = depths.map((_, s) => Math.floor(fromSize / patch / 2 ** s));
  return {
    window: typeof args.window_size === 'number' ? args.window_size : to || from,
    ...sized(first(args.img_size) ?? (Array.isArray(input) ? input[1] : toSize || fromSize)),
    ...pretrained(args.pretrained_window_sizes ?? (to ? maps.map((map) => Math.min(from, map)) : undefined)),
  };
}

/**
 * Windows from the buffers of the official files: tables of coordinates tell the window and that of pretraining, masks of
 * shifted windows the size of the map.
 *
 * @returns undefined if the buffers are not there, or do not tell it.
 */
export async function windowsOfBuffers(
  file: WeightFile,
  { nameOf }: FileNaming,
  shapes: V2Shapes,
): Promise<V2Windows | undefined> {
  const tables = shapes.depths.map((_, s) => nameOf(`layers.${s}.blocks.0.attn.relative_coords_table`));
  if (tables.some((name) => file.entries.get(name)?.shape.length !== 4)) return undefined;
  const windows = tables.map((name) => (file.entries.get(name)!.shape[1]! + 1) / 2);
  const imageSize = imageSizeOf(file, nameOf, shapes, windows);
  if (imageSize === undefined) return undefined;
  const pretrainedWindows: number[] = [];
  for (const [s, name] of tables.entries()) {
    const farthest = (await file.read(name)).data.at(-1)!;
    const side = 1 + (8 * (windows[s]! - 1)) / (2 ** (3 * farthest) - 1);
    pretrainedWindows.push(windows[s] === 1 || Math.round(side) === windows[s] ? 0 : Math.round(side));
  }
  const found = { window: Math.max(...windows), imageSize, ...pretrained(pretrainedWindows) };
  const stages = checkV2Config({ ...shapes, ...found }).stages;
  return stages.every(({ window }, s) => window === windows[s]) ? found : undefined;
}

/** Side of the images by the first mask of shifted windows, [windows, tokens, tokens], or by the first smaller window. */
function imageSizeOf(
  file: WeightFile,
  nameOf: FileNaming['nameOf'],
  { depths, patch }: V2Shapes,
  windows: readonly number[],
): number | undefined {
  const masks = depths.map((_, s) => file.entries.get(nameOf(`layers.${s}.blocks.1.attn_mask`))?.shape[0]);
  const masked = masks.findIndex((count) => count !== undefined);
  if (masked >= 0) {
    const side = Math.sqrt(masks[masked]!);
    return Number.isInteger(side) ? side * windows[masked]! * patch * 2 ** masked : undefined;
  }
  const smaller = windows.findIndex((window) => window < windows[0]!);
  return smaller >= 0 ? windows[smaller]! * patch * 2 ** smaller : undefined;
}

function first(size: unknown): unknown {
  return Array.isArray(size) ? size[0] : size;
}

function sized(size: unknown): Pick<V2Windows, 'imageSize'> {
  return typeof size === 'number' ? { imageSize: size } : {};
}

function pretrained(sizes: unknown): Pick<V2Windows, 'pretrainedWindows'> {
  return Array.isArray(sizes) && sizes.some((size) => size > 0) ? { pretrainedWindows: sizes } : {};
}

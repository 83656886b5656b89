import type { WeightFile } from '@e3va/weight-files';
import { SwinWeightsError } from '../../errors.ts';
import type { FileNaming } from '../../weights/file-naming.ts';
import type { SwinV2Config } from '../config.ts';
import { v2NamingOf } from './namings.ts';
import { type V2Shapes, windowsOfBuffers, windowsOfTimm, windowsOfTransformers } from './windows.ts';

/**
 * The architecture of the Swin V2 in a weight file: most of it from the names and shapes of its weights; the windows, which
 * they do not tell, from the configuration file beside it (of transformers or timm), or from the buffers that the official
 * files hold.
 *
 * @param file An open weight file in any of the namings that {@link loadSwinV2Weights} knows.
 * @param config The contents of config.json, if there is one.
 * @returns A configuration with `imageSize`: the model has the windows and shifts that the file was trained with.
 * @throws {@link SwinWeightsError} if the file holds no Swin V2, its shapes contradict each other, nothing tells the windows,
 * or the configuration asks for what is not supported.
 *
 * @example
 * ```ts no-run
 * import { swinV2, swinV2ConfigOf } from '@e3va/swin';
 * import { openWeights } from '@e3va/weight-files';
 *
 * const file = await openWeights('swinv2_tiny_patch4_window8_256.pth');
 * console.log(await swinV2ConfigOf(file)); // { embedDim: 96, depths: [2, 2, 6, 2], …, window: 8, imageSize: 256 }
 * ```
 */
export async function swinV2ConfigOf(
  file: WeightFile,
  config: Record<string, unknown> = {},
): Promise<SwinV2Config> {
  const naming = v2NamingOf(file);
  const shapes = shapesOf(file, naming);
  const windows =
    windowsOfTransformers(config) ??
    windowsOfTimm(config, shapes) ??
    (await windowsOfBuffers(file, naming, shapes));
  if (windows) return { ...shapes, ...windows };
  throw new SwinWeightsError({
    what: `${file.name} does not tell the windows of its Swin V2`,
    expected:
      "a config.json of transformers (window_size) or timm (architecture), or the official files' relative_coords_table and attn_mask",
    fix: "give the configuration yourself: swinV2(swinV2Presets['tiny-window8']), then loadSwinV2Weights",
  });
}

function shapesOf(file: WeightFile, { nameOf }: FileNaming): V2Shapes {
  const shape = (official: string) => shapeOf(file, nameOf(official));
  const has = (official: string) => file.entries.has(nameOf(official));
  const depths: number[] = [];
  for (let s = 0; has(`layers.${s}.blocks.0.norm1.weight`); s++) {
    let blocks = 1;
    while (has(`layers.${s}.blocks.${blocks}.norm1.weight`)) blocks++;
    depths.push(blocks);
  }
  const [embedDim = 0, , patch = 0] = shape('patch_embed.proj.weight');
  const [hidden = 0] = shape('layers.0.blocks.0.mlp.fc1.bias');
  for (const [s, blocks] of depths.entries()) {
    for (let b = 0; b < blocks; b++) {
      const name = nameOf(`layers.${s}.blocks.${b}.mlp.fc1.weight`);
      checkShape(file, name, [hidden * 2 ** s, embedDim * 2 ** s]);
    }
  }
  return {
    embedDim,
    depths,
    heads: depths.map((_, s) => shape(`layers.${s}.blocks.0.attn.logit_scale`)[0] ?? 0),
    patch,
    mlpRatio: hidden / embedDim,
  };
}

/** A model is built from what these shapes say: they must not ask for more than the file holds. */
function checkShape(file: WeightFile, name: string, expected: readonly number[]): void {
  const received = shapeOf(file, name);
  if (received.join() === expected.join()) return;
  throw new SwinWeightsError({
    what: `${file.name}: the shape of '${name}' contradicts that of the first stage`,
    expected: `[${expected}]`,
    received: `[${received}]`,
  });
}

function shapeOf(file: WeightFile, name: string): readonly number[] {
  const entry = file.entries.get(name);
  if (entry) return entry.shape;
  throw new SwinWeightsError({
    what: `${file.name} lacks a weight that tells the architecture`,
    expected: name,
  });
}

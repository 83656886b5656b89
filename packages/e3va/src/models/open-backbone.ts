import { loadBackbone as loadOther } from '@e3va/backbones';
import { loadSwin, loadSwinV2 } from '@e3va/swin';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import { isEmbedded } from './catalogue.ts';
import { withModelFiles } from './open.ts';

/**
 * A backbone with its pretrained weights: of a name in the catalogue, a model id, a folder or a file. The names of its weights tell
 * the family.
 */
export async function openBackbone(source: string): Promise<LayersModel> {
  if (isEmbedded(source)) return loadSwin('nano');
  return withModelFiles(source, (files) => {
    const has = (pattern: RegExp) => [...files.weights.entries.keys()].some((name) => pattern.test(name));
    if (has(/\.(attn|self)\.logit_scale$/)) return loadSwinV2(files);
    return has(/\.relative_position_bias_table$/) ? loadSwin(files) : loadOther(files);
  });
}

import { type Adapted, adapt, e3va } from '@e3va/adapter-core';
import {
  convNeXt,
  convNeXtConfigOf,
  loadConvNeXtWeights,
  loadViTWeights,
  vit,
  vitConfigOf,
} from '@e3va/backbones';
import { loadSwinV2Weights, loadSwinWeights, swin, swinV2 } from '@e3va/swin';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import { kerasModel } from '../../adapter-core/test/models/zoo.ts';
import { readReference } from '../../backbones/test/helpers.ts';
import { fixtureWeights, referenceConfigs } from '../../swin/test/helpers.ts';
import { boundConfig, freeConfig, v2Weights } from '../../swin/test/v2.ts';

/** A network with weights of a fixture, and shapes of images for it. */
export interface Network {
  name: string;
  make: () => Promise<LayersModel>;
  sizes: number[][];
}

async function swinOf(name: 'w4' | 'w7'): Promise<LayersModel> {
  const model = swin(referenceConfigs[name]);
  await loadSwinWeights(model, fixtureWeights(`${name}_microsoft`));
  return model;
}

async function swinV2Of(config: typeof freeConfig, weights: string): Promise<LayersModel> {
  const model = swinV2(config);
  await loadSwinV2Weights(model, v2Weights(weights));
  return model;
}

async function convNeXtOf(): Promise<LayersModel> {
  const { weights } = readReference('convnext');
  const model = convNeXt(convNeXtConfigOf(weights));
  await loadConvNeXtWeights(model, weights);
  return model;
}

async function vitOf(name: string, options: object = {}): Promise<LayersModel> {
  const { weights, config } = readReference(name);
  const model = vit({ ...vitConfigOf(weights, config), ...options });
  await loadViTWeights(model, weights);
  return model;
}

const anySizes = [
  [1, 64, 64, 3],
  [2, 50, 70, 3],
];
const keras = [[2, 64, 64, 3]];

/** The networks of the product's own packages, and Keras's of the adapters' tests. */
export const networks: Network[] = [
  {
    name: 'Swin, window 4',
    make: () => swinOf('w4'),
    sizes: [
      [1, 128, 128, 3],
      [2, 50, 70, 3],
    ],
  },
  { name: 'Swin, window 7', make: () => swinOf('w7'), sizes: [[1, 100, 84, 3]] },
  {
    name: 'Swin V2',
    make: () => swinV2Of(freeConfig, 'free_hf'),
    sizes: [
      [1, 128, 128, 3],
      [2, 70, 102, 3],
    ],
  },
  { name: 'Swin V2 of bounded windows', make: () => swinV2Of(boundConfig, 'bound_hf'), sizes: anySizes },
  { name: 'ConvNeXt', make: () => convNeXtOf(), sizes: anySizes },
  { name: 'ViT', make: () => vitOf('vit'), sizes: anySizes },
  {
    name: 'ViT with a simple feature pyramid',
    make: () => vitOf('vit', { pyramid: 'simple', pyramidChannels: 8 }),
    sizes: anySizes,
  },
  { name: 'DINOv2', make: () => vitOf('dinov2'), sizes: anySizes },
  { name: 'DINOv2 with registers', make: () => vitOf('registers'), sizes: anySizes },
  { name: "Keras's ResNet", make: () => kerasModel('resnet_like'), sizes: keras },
  { name: "Keras's EfficientNet", make: () => kerasModel('efficientnet_like'), sizes: keras },
  { name: "Keras's ViT", make: () => kerasModel('vit_like'), sizes: [[2, 32, 32, 3]] },
];

/** The tiny Swin with the weights of its fixture, adapted. */
export const adaptedSwin = async (options: Parameters<typeof e3va>[0] = {}): Promise<Adapted> =>
  adapt(await swinOf('w4'), e3va(options));

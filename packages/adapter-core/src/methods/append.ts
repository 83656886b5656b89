import type { LayersModel, SymbolicTensor } from '@tensorflow/tfjs-layers';
import type { Layer } from '../copy-layer.ts';
import { AppendedLayer } from '../layers/appended.ts';
import { findTaps, type LayerPattern } from '../taps.ts';
import type { InPlaceOptions } from './in-place-options.ts';
import type { Split } from './method.ts';
import { type Edit, rewrite } from './rewrite.ts';

/** Makes the layer that a method puts behind one of the base, by its name and its place among them. */
export type MakeExtension = (name: string, index: number) => Layer;

/** A method that puts a layer of its own behind some of the base's. */
export interface Appending extends InPlaceOptions {
  /** Name of the method; its layers are called `<method>.<layer of the base>`. */
  method: string;
  /** Which layers of the base are followed by one. */
  after: LayerPattern;
  make: MakeExtension;
}

/** The split of a method that puts a layer of its own behind each of the chosen layers' results. */
export function append(base: LayersModel, { method, after, make, levels, alsoTrain }: Appending): Split {
  const names = new Set(findTaps(base, after).map(({ name }) => name));
  const taps = new Map<string, string[]>();
  const edits = new Map<Layer, Edit>();
  for (const layer of base.layers.filter(({ name }) => names.has(name))) {
    const extension = make(`${method}.${layer.name}`, edits.size);
    taps.set(extension.name, [layer.name]);
    edits.set(layer, { after: (output) => extension.apply(output) as SymbolicTensor });
  }
  return { ...rewrite(base, edits, { levels, alsoTrain }), taps };
}

/** One layer with a layer of the method's behind it, for `adaptLayer`. */
export function appendTo(layer: Layer, method: string, make: MakeExtension): AppendedLayer {
  return new AppendedLayer({ layer, extension: make(`${layer.name}/${method}`, 0), parallel: false });
}

/** A seed of its own for each layer that a method adds; not zero, which draws at random. */
export const seedOf = (seed: number, index: number) => seed * 100_003 + index * 101 + 1;

import { asIs, conv, linear, type WeightFile, type WeightSource } from '@e3va/weight-files';
import type { LayerVariable } from '@tensorflow/tfjs-layers';
import { BackboneWeightsError } from '../errors.ts';
import { patchKernel } from './patch-kernel.ts';

/** How a library names the weights of a backbone. */
export interface Naming {
  /** The library, for messages. */
  library: string;
  /** Replacements that turn the name of one of our layers into the library's. */
  rules: readonly [RegExp, string | ((match: string, ...groups: string[]) => string)][];
  /** Names that, together, only files of this naming have, without prefix. */
  signs: readonly [string, ...string[]];
  /** Names behind the prefix that a backbone does without: classifiers, poolers, mask tokens. */
  heads: RegExp;
}

/** A naming as one file uses it. */
export interface FileNaming<N extends Naming = Naming> {
  naming: N;
  /** What stands before all names of the backbone: `convnext.`, `backbone.` or nothing. */
  prefix: string;
}

/**
 * Recognises the naming of a file by its keys.
 *
 * @param family What is looked for, for the message.
 * @throws {@link BackboneWeightsError} if no naming fits.
 */
export function namingOf<N extends Naming>(
  file: WeightFile,
  namings: readonly N[],
  family: string,
): FileNaming<N> {
  const found = findNaming(file, namings);
  if (found) return found;
  const some = [...file.entries.keys()].slice(0, 5).join(', ');
  throw new BackboneWeightsError({
    what: `${file.name} holds no ${family} whose names are known`,
    expected: `the names of ${namings.map(({ library }) => library).join(', ')}`,
    received: some ? `${some}, …` : 'a file without tensors',
  });
}

/** The naming of a file, if one fits. */
export function findNaming<N extends Naming>(
  { entries }: WeightFile,
  namings: readonly N[],
): FileNaming<N> | undefined {
  for (const naming of namings) {
    const [sign] = naming.signs;
    for (const name of entries.keys()) {
      if (name !== sign && !name.endsWith(`.${sign}`)) continue;
      const prefix = name.slice(0, name.length - sign.length);
      if (naming.signs.every((other) => entries.has(prefix + other))) return { naming, prefix };
    }
  }
  return undefined;
}

/** The file's name for one of our layers. */
export function fileLayer(layer: string, { naming, prefix }: FileNaming): string {
  const name = naming.rules.reduce((text, [pattern, by]) => text.replace(pattern, by as string), layer);
  return prefix + name;
}

/** Layer and weight of a variable: `stages.0.blocks.1.norm` and `gamma`. */
export function partsOf({ originalName }: LayerVariable): [layer: string, weight: string] {
  const at = originalName.lastIndexOf('/');
  return [originalName.slice(0, at), originalName.slice(at + 1)];
}

/** The shape that a tensor of the file has. */
export function shapeIn(file: WeightFile, name: string): readonly number[] {
  const entry = file.entries.get(name);
  if (entry) return entry.shape;
  throw new BackboneWeightsError({
    what: `${file.name} lacks a weight that tells the architecture`,
    expected: name,
  });
}

/**
 * Checks that tensors have the shapes that others told: no file makes a model that is much larger than itself.
 *
 * @throws {@link BackboneWeightsError} if one is missing or of another shape.
 */
export function checkShapes(file: WeightFile, expected: Record<string, readonly number[]>): void {
  for (const [name, shape] of Object.entries(expected)) {
    const received = shapeIn(file, name);
    if (received.join() === shape.join()) continue;
    throw new BackboneWeightsError({
      what: `${file.name}: the shapes of its tensors contradict each other`,
      expected: `${name} [${shape.join(', ')}]`,
      received: `[${received.join(', ')}]`,
    });
  }
}

/** How many blocks or stages a file has: the first index from 0 under which a name is missing. */
export function countIn({ entries }: WeightFile, name: (index: number) => string): number {
  let count = 0;
  while (entries.has(name(count))) count++;
  return count;
}

/** The names behind the prefix that are no head: each must have a place in the model. */
export function mustHavePlace({ naming, prefix }: FileNaming): (name: string) => boolean {
  return (name) => name.startsWith(prefix) && !naming.heads.test(name.slice(prefix.length));
}

/** The source of a weight whose layout follows from its kind. */
export function sourceOf(
  weight: string,
  layer: string,
  shape: readonly number[],
  patch?: number,
): WeightSource {
  switch (weight) {
    case 'kernel':
      return patch === undefined
        ? linear(`${layer}.weight`, shape as [number, number])
        : patchKernel(`${layer}.weight`, shape as [number, number], patch);
    case 'depthwise_kernel':
      return conv(`${layer}.weight`, [shape[0]!, shape[1]!, shape[2]!, 1], { depthwise: true });
    case 'gamma':
      return asIs(`${layer}.weight`, shape);
    default:
      return asIs(`${layer}.bias`, shape);
  }
}

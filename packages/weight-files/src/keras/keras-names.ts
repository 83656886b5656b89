import { isObject } from '../formats/json-file.ts';

/** What the layers of Keras call their weights, in the order in which they are saved; by the end of the class's name. */
const weightNames: readonly [RegExp, readonly string[]][] = [
  [/^Separable/, ['depthwise_kernel', 'pointwise_kernel', 'bias']],
  [/^DepthwiseConv/, ['depthwise_kernel', 'bias']],
  [/^(Dense|EinsumDense|Conv\d.*)$/, ['kernel', 'bias']],
  [/^BatchNormalization$/, ['gamma', 'beta', 'moving_mean', 'moving_variance']],
  [/^(Layer|Group)Normalization$/, ['gamma', 'beta']],
  [/^Embedding$/, ['embeddings']],
];

/** A layer of a model: its name, what its weights are called, and its own layers by their folders. */
interface LayerNames {
  name: string;
  weights: readonly string[];
  layers: Map<string, LayerNames>;
}

/**
 * Names for the datasets of a Keras 3 weight file, whose folders are called after classes and whose weights are numbered:
 * `layers/conv2d/vars/0` becomes `conv/kernel`, if the model's configuration tells it; else `conv2d/0`.
 *
 * @param config The `config.json` of the model, if there is one.
 */
export function kerasNames(config: unknown): (path: string) => string {
  const root = layersOf(config, 0);
  return (path) => {
    const steps = path.split('/');
    const index = Number(steps.pop());
    if (steps.pop() !== 'vars') return path;
    const folders = steps.filter((step, i) => !(step === 'layers' && i % 2 === 0));
    let at: LayerNames | undefined = root;
    const shown: string[] = [];
    for (const folder of folders) {
      at = at?.layers.get(folder);
      shown.push(at?.name ?? folder);
    }
    return [...shown, at?.weights[index] ?? index].join('/');
  };
}

function layersOf(config: unknown, depth: number): LayerNames {
  const inner = isObject(config) && isObject(config.config) ? config.config : {};
  const className = isObject(config) && typeof config.class_name === 'string' ? config.class_name : '';
  const names: LayerNames = {
    name: typeof inner.name === 'string' ? inner.name : className,
    weights: weightsOf(className, inner),
    layers: new Map(),
  };
  const used = new Map<string, number>();
  if (!Array.isArray(inner.layers) || depth > 16) return names;
  for (const layer of inner.layers) {
    if (!isObject(layer) || typeof layer.class_name !== 'string') continue;
    const base = snakeCase(layer.class_name);
    const count = used.get(base) ?? 0;
    used.set(base, count + 1);
    names.layers.set(count === 0 ? base : `${base}_${count}`, layersOf(layer, depth + 1));
  }
  return names;
}

function weightsOf(className: string, config: Readonly<Record<string, unknown>>): readonly string[] {
  const names = weightNames.find(([pattern]) => pattern.test(className))?.[1] ?? [];
  return names.filter(
    (name) =>
      !(name === 'gamma' && config.scale === false) &&
      !(name === 'beta' && config.center === false) &&
      !(name === 'bias' && config.use_bias === false),
  );
}

/** A class's name as Keras makes it a folder's: `GlobalAveragePooling2D` is `global_average_pooling2d`. */
function snakeCase(name: string): string {
  return name
    .replace(/\W+/g, '')
    .replace(/(.)([A-Z][a-z]+)/g, '$1_$2')
    .replace(/([a-z])([A-Z])/g, '$1_$2')
    .toLowerCase();
}

import { parseStrictJson, type SafetensorsType, widenTensor } from '@e3va/adapter-core';
import type { ByteSource } from '../byte-source.ts';
import { asWeightFileError, damaged } from '../damaged.ts';
import type { ZipFile } from '../formats/zip.ts';
import { missing, type WeightEntry, type WeightFile } from '../weight-file.ts';
import { type H5Dataset, openHdf5 } from './hdf5.ts';
import { kerasNames } from './keras-names.ts';

const weightsEntry = 'model.weights.h5';

/** Whether a zip file is a model of Keras. */
export function isKerasZip(zip: ZipFile): boolean {
  return zip.entries.has(weightsEntry);
}

/** A `.keras` file: a zip file with the configuration and the weights. */
export async function openKerasZip(bytes: ByteSource, zip: ZipFile): Promise<WeightFile> {
  const content = await zip.read(weightsEntry);
  const config = zip.entries.has('config.json')
    ? new TextDecoder().decode(await zip.read('config.json'))
    : undefined;
  await bytes.close();
  return kerasFile(bytes.name, content, config);
}

/** An `.h5` file: weights of Keras 2 or 3, or a whole model of Keras 2. */
export async function openKerasH5(bytes: ByteSource): Promise<WeightFile> {
  const content = await bytes.read(0, bytes.size);
  await bytes.close();
  return kerasFile(bytes.name, content);
}

async function kerasFile(name: string, content: Uint8Array, config?: string): Promise<WeightFile> {
  const file = await openHdf5(content, name);
  try {
    const datasets = named(file.datasets, parsed(config));
    if (datasets.size === 0) throw damaged(name, 'the HDF5 file holds no weights of Keras');
    const model = config ?? file.text('model_config');
    return {
      name,
      entries: new Map(
        [...datasets].map(([key, { shape, dtype }]): [string, WeightEntry] => [key, { shape, dtype }]),
      ),
      metadata: model === undefined ? {} : { model_config: model },
      async read(tensor) {
        const { path, shape, dtype } = datasets.get(tensor) ?? missing(name, tensor);
        const raw = file.read(path);
        const data = asWeightFileError(() =>
          widenTensor(raw, dtype as SafetensorsType, `${name}: tensor '${tensor}'`),
        );
        return { shape: [...shape], data };
      },
      close: async () => file.close(),
    };
  } catch (error) {
    file.close();
    throw error;
  }
}

function parsed(config: string | undefined): unknown {
  try {
    return config === undefined ? undefined : parseStrictJson(config);
  } catch {
    return undefined; // names are then those of the folders
  }
}

/**
 * The weights of a model by name. Keras 2 has `layer/…/kernel:0` in a folder for the layer; Keras 3 has numbers in folders called after
 * classes, beside those of the optimiser.
 */
function named(datasets: readonly H5Dataset[], config: unknown): Map<string, H5Dataset> {
  const whole = datasets.filter(({ path }) => path.startsWith('model_weights/'));
  const three = datasets.filter(({ path }) => /(^|\/)vars\/\d+$/.test(path));
  if (three.length > 0 && whole.length === 0) {
    const name = kerasNames(config);
    const own = three.filter(({ path }) => !/^(optimizer|metrics|_loss_tracker|_compile)/.test(path));
    return unique(own, name);
  }
  const all = whole.length > 0 ? whole : datasets;
  const prefix = whole.length > 0 ? 'model_weights/' : '';
  return unique(all, (path) =>
    path
      .slice(prefix.length)
      .replace(/^[^/]*\/(?=.*\/)/, '')
      .replace(/:0$/, ''),
  );
}

/** Datasets by a name; those that would share one keep their path. */
function unique(datasets: readonly H5Dataset[], name: (path: string) => string): Map<string, H5Dataset> {
  const uses = new Map<string, number>();
  for (const { path } of datasets) uses.set(name(path), (uses.get(name(path)) ?? 0) + 1);
  return new Map(datasets.map((set) => [uses.get(name(set.path)) === 1 ? name(set.path) : set.path, set]));
}

import { DuplicateNameError, EmptyDatasetError, MissingMaskError } from './errors.ts';
import type { SplitFolders } from './layouts.ts';
import { nodeModule } from './node.ts';

/** An image file and its mask file. */
export interface MaskPair {
  /** Path of the image below its folder, without extension. */
  name: string;
  image: string;
  mask: string;
}

const imageExtension = /\.(jpe?g|png|webp|gif|tiff?|avif|mpo|bmp)$/i;

/**
 * Pairs the images of a folder with the masks of another by their names without extension, in order of names.
 * Folders inside are followed; the name then holds the path.
 *
 * @param suffix What mask names have after the image's name, such as `_mask`.
 * @returns The pairs, and the names of masks that belong to no image.
 * @throws EmptyDatasetError, DuplicateNameError, MissingMaskError
 */
export async function pairFiles(
  directory: string,
  folders: SplitFolders,
  suffix = '',
): Promise<{ pairs: MaskPair[]; strayMasks: string[] }> {
  const { join } = nodeModule('node:path');
  const images = await listImages(join(directory, folders.images));
  const masks = await listImages(join(directory, folders.masks));
  if (images.size === 0) {
    throw new EmptyDatasetError({
      what: `${join(directory, folders.images)} holds no image`,
      expected: 'files named .jpg, .png, .webp, .gif, .tif or .avif',
      fix: 'check that the data set was unpacked, and that this is the right folder',
    });
  }
  const names = [...images.keys()].sort();
  const missing = names.filter((name) => !masks.has(name + suffix));
  if (missing.length > 0) {
    throw missingMasks(missing, names.length, masks, join(directory, folders.masks), suffix);
  }
  const pairs = names.map((name) => ({ name, image: images.get(name)!, mask: masks.get(name + suffix)! }));
  const strayMasks = [...masks.keys()].filter(
    (m) => !(m.endsWith(suffix) && images.has(m.slice(0, m.length - suffix.length))),
  );
  return { pairs, strayMasks: strayMasks.sort() };
}

/** Image files below a folder: path without extension → file. Hidden files are left out. */
async function listImages(folder: string): Promise<Map<string, string>> {
  const { readdir } = nodeModule('node:fs/promises');
  const { join, sep } = nodeModule('node:path');
  const found = new Map<string, string>();
  for (const path of await readdir(folder, { recursive: true })) {
    if (!imageExtension.test(path) || path.split(sep).some((part) => part.startsWith('.'))) continue;
    const name = path.replace(imageExtension, '').split(sep).join('/');
    const twin = found.get(name);
    if (twin !== undefined) {
      throw new DuplicateNameError({
        what: `two files of ${folder} have the same name without extension`,
        received: `${twin.slice(folder.length + 1)} and ${path}`,
        fix: 'rename or remove one: masks are found by this name',
      });
    }
    found.set(name, join(folder, path));
  }
  return found;
}

function missingMasks(
  missing: string[],
  images: number,
  masks: Map<string, string>,
  folder: string,
  suffix: string,
): MissingMaskError {
  const shown = missing.slice(0, 5).join(', ') + (missing.length > 5 ? ', …' : '');
  const first = missing[0]!;
  const near = [...masks.keys()].find((mask) => mask.startsWith(first));
  return new MissingMaskError(
    {
      what: `${missing.length} of ${images} images have no mask in ${folder}`,
      expected: `a mask named as its image${suffix ? ` and then ${suffix}` : ''}, such as ${first}${suffix}.png`,
      received: `${masks.size} masks; none for ${shown}`,
      fix: near
        ? `pass maskSuffix: '${near.slice(first.length)}' if ${near} is the mask of ${first}`
        : 'add the masks, or move these images out of the data set',
    },
    missing,
  );
}

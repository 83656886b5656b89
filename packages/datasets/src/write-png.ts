import type { Rgb } from './color-map.ts';
import { ImageWriteError } from './errors.ts';
import { loadSharp, nodeModule } from './node.ts';
import { encodePng } from './png/encode-png.ts';
import type { LabelMap, RgbImage } from './sample.ts';

/**
 * Writes an image as PNG (Node only). The file appears whole or not at all: it is written under another name in the
 * same folder and then renamed.
 *
 * @throws ImageWriteError if it cannot be written, for example on a full disk.
 */
export async function writePng(path: string, image: RgbImage): Promise<void> {
  const sharp = await loadSharp();
  const { width, height, data } = image;
  const bytes = await sharp(data, { raw: { width, height, channels: 3 } })
    .png()
    .toBuffer();
  await writeWhole(path, bytes);
}

/**
 * Writes a label map as PNG whose stored numbers are the labels: palette where a palette is given, else grey; 16-bit grey
 * where a label exceeds 255. {@link openMaskFolder} reads it back as it was.
 *
 * @throws ImageWriteError if it cannot be written, or a label is negative or above 65535.
 */
export async function writeMask(path: string, mask: LabelMap, palette?: readonly Rgb[]): Promise<void> {
  const { width, height, data } = mask;
  const top = data.reduce((a, b) => Math.max(a, b), 0);
  const low = data.reduce((a, b) => Math.min(a, b), 0);
  if (low < 0 || top > 65535) {
    throw new ImageWriteError({
      what: `${path}: a PNG cannot hold the label ${low < 0 ? low : top}`,
      expected: 'labels from 0 to 65535',
    });
  }
  if (top > 255) return writeWhole(path, encodePng({ width, height, bitDepth: 16, colorType: 0, data }));
  if (!palette) return writeWhole(path, encodePng({ width, height, bitDepth: 8, colorType: 0, data }));
  const entries = new Uint8Array(3 * (top + 1)); // labels beyond the palette are black
  palette.slice(0, top + 1).forEach((color, i) => {
    entries.set(color, 3 * i);
  });
  return writeWhole(path, encodePng({ width, height, bitDepth: 8, colorType: 3, data, palette: entries }));
}

async function writeWhole(path: string, bytes: Uint8Array): Promise<void> {
  const fs = nodeModule('node:fs/promises');
  const { dirname, join, basename } = nodeModule('node:path');
  const unique = `${process.pid}-${Math.random().toString(36).slice(2)}`;
  const temporary = join(dirname(path), `.${basename(path)}.${unique}.tmp`);
  try {
    const file = await fs.open(temporary, 'wx');
    try {
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    await fs.rename(temporary, path);
  } catch (cause) {
    await fs.rm(temporary, { force: true }).catch(() => {});
    throw writeError(path, cause as NodeJS.ErrnoException);
  }
}

function writeError(path: string, cause: NodeJS.ErrnoException): ImageWriteError {
  const fixes: Record<string, string> = {
    ENOSPC: 'the disk is full: free some space',
    EDQUOT: 'the disk quota is used up: free some space',
    EROFS: 'choose a folder that may be written to',
    ENOENT: 'create the folder first',
    EACCES: 'choose a folder that may be written to',
    EISDIR: 'choose the name of a file, this is a folder',
  };
  const fix = fixes[cause.code ?? ''] ?? 'check the path and the disk';
  return new ImageWriteError({ what: `${path} could not be written: ${cause.message}`, fix }, { cause });
}

import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import sharp from 'sharp';
import { onTestFinished } from 'vitest';
import { encodePng } from '../src/png/encode-png.ts';
import type { LabelMap, RgbImage, SegmentationSample } from '../src/sample.ts';

/** A new folder, removed after the test. */
export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'e3va-datasets-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** Writes files, with their folders. */
export async function writeFiles(
  folder: string,
  files: Record<string, Uint8Array | string | Promise<Uint8Array>>,
): Promise<void> {
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), await content);
  }
}

/** A label map by a function of row and column. */
export function labelMap(height: number, width: number, at: (y: number, x: number) => number): LabelMap {
  const data = Int32Array.from({ length: height * width }, (_, i) => at(Math.floor(i / width), i % width));
  return { width, height, data };
}

/** An RGB image by a function of row and column. */
export function rgbImage(
  height: number,
  width: number,
  at: (y: number, x: number) => [number, number, number],
): RgbImage {
  const { data } = labelMap(height, width, () => 0);
  return {
    width,
    height,
    data: Uint8Array.from([...data].flatMap((_, i) => at(Math.floor(i / width), i % width))),
  };
}

/** Encodes an image by sharp. */
export const encoded = (
  { width, height, data }: RgbImage,
  format: 'jpeg' | 'png' | 'webp' = 'png',
): Promise<Buffer> =>
  sharp(data, { raw: { width, height, channels: 3 } })
    [format]()
    .toBuffer();

/** An 8-bit grey PNG with the labels as values. */
export const greyPng = ({ width, height, data }: LabelMap): Uint8Array =>
  encodePng({ width, height, bitDepth: 8, colorType: 0, data });

/** An image of one colour, as PNG. */
export const plainPng = (height = 4, width = 6): Promise<Buffer> =>
  encoded(rgbImage(height, width, () => [10, 20, 30]));

/** A grey PNG mask with one value. */
export const plainMask = (value = 0, height = 4, width = 6): Uint8Array =>
  greyPng(labelMap(height, width, () => value));

/** The error that a promise is rejected with. */
export async function rejection(promise: Promise<unknown>): Promise<Error> {
  try {
    await promise;
  } catch (error) {
    return error as Error;
  }
  throw new Error('the promise was fulfilled');
}

/** Whether two arrays hold the same bytes (`toEqual` is slow on large typed arrays). */
export const sameBytes = (a: Uint8Array | Int32Array, b: Uint8Array | Int32Array): boolean =>
  Buffer.from(a.buffer, a.byteOffset, a.byteLength).equals(Buffer.from(b.buffer, b.byteOffset, b.byteLength));

/** Whether two samples have the same sizes, pixels and labels. */
export const sameSample = (a: SegmentationSample, b: SegmentationSample): boolean =>
  a.name === b.name &&
  a.image.width === b.image.width &&
  a.mask.width === b.mask.width &&
  sameBytes(a.image.data, b.image.data) &&
  sameBytes(a.mask.data, b.mask.data);

import {
  colorizeMask,
  type LabelMap,
  overlay,
  paletteColors,
  type RgbImage,
  type SegmentationSplit,
} from '@e3va/datasets';
import sharp from 'sharp';
import { predictImage } from '../evaluate.ts';
import type { Segmenter } from '../segmenter.ts';
import type { EncodedImage } from '../tensorboard/writer.ts';

/** One validation image beside its label and its prediction, each as a data URI. */
export interface ReportPicture {
  name: string;
  /** The image, JPEG. */
  image: string;
  /** The label in the classes' colours, PNG. */
  truth: string;
  /** The prediction in the same colours, PNG. */
  prediction: string;
  /** The prediction laid over the image, JPEG. */
  overlay: string;
}

/** Width of the pictures in a report; smaller ones are left as they are. */
const maxWidth = 420;

/** Up to `count` samples of a split, evenly spread, with what the segmenter says of them. */
export async function reportPictures(
  segmenter: Segmenter,
  split: SegmentationSplit,
  count = 8,
): Promise<ReportPicture[]> {
  const colors = paletteColors(segmenter.classes);
  const shown = Math.min(count, split.length);
  const pictures: ReportPicture[] = [];
  for (let i = 0; i < shown; i++) {
    const { name, image, mask } = await split.load(Math.floor((i * split.length) / shown));
    const prediction: LabelMap = { ...mask, data: await predictImage(segmenter, image) };
    pictures.push({
      name,
      image: await jpegUri(image),
      truth: await pngUri(colorizeMask(mask, colors)),
      prediction: await pngUri(colorizeMask(prediction, colors)),
      overlay: await jpegUri(overlay(image, prediction, 0.5, colors)),
    });
  }
  return pictures;
}

/** The first image of a split with its prediction laid over, as TensorBoard takes it. */
export async function tensorboardPicture(
  segmenter: Segmenter,
  split: SegmentationSplit,
): Promise<EncodedImage> {
  const { image } = await split.load(0);
  const { width, height } = image;
  const labels: LabelMap = { width, height, data: await predictImage(segmenter, image) };
  const shown = open(overlay(image, labels, 0.5, paletteColors(segmenter.classes)));
  const resized = shown.resize({ width: maxWidth, withoutEnlargement: true }).png();
  const { data, info } = await resized.toBuffer({ resolveWithObject: true });
  return { width: info.width, height: info.height, bytes: data };
}

const open = ({ width, height, data }: RgbImage) =>
  sharp(data, { raw: { width, height, channels: 3 }, limitInputPixels: false });

async function jpegUri(image: RgbImage): Promise<string> {
  const resized = open(image).resize({ width: maxWidth, withoutEnlargement: true });
  return `data:image/jpeg;base64,${(await resized.jpeg({ quality: 82 }).toBuffer()).toString('base64')}`;
}

/** Masks are shrunk without blending: no colour arises that is no class. */
async function pngUri(image: RgbImage): Promise<string> {
  const resized = open(image).resize({ width: maxWidth, withoutEnlargement: true, kernel: 'nearest' });
  return `data:image/png;base64,${(await resized.png({ palette: true }).toBuffer()).toString('base64')}`;
}

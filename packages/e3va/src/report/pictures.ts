import type { RgbImage } from '@e3va/datasets';
import sharp from 'sharp';
import type { EncodedImage } from '../tensorboard/writer.ts';

/** Width of the pictures in a report; smaller ones are left as they are. */
const maxWidth = 420;

/** A picture as a JPEG data URI, made smaller where it is wide. */
export async function jpegUri(image: RgbImage): Promise<string> {
  const bytes = await shrunk(image).jpeg({ quality: 82 }).toBuffer();
  return `data:image/jpeg;base64,${bytes.toString('base64')}`;
}

/** Colours of classes as a PNG data URI, made smaller without blending: no colour arises that is no class. */
export async function colorsUri(image: RgbImage): Promise<string> {
  const bytes = await shrunk(image, 'nearest').png({ palette: true }).toBuffer();
  return `data:image/png;base64,${bytes.toString('base64')}`;
}

/** A picture as TensorBoard takes it. */
export async function encodedPicture(image: RgbImage): Promise<EncodedImage> {
  const { data, info } = await shrunk(image).png().toBuffer({ resolveWithObject: true });
  return { width: info.width, height: info.height, bytes: data };
}

function shrunk({ width, height, data }: RgbImage, kernel: 'nearest' | 'lanczos3' = 'lanczos3') {
  const picture = sharp(data, { raw: { width, height, channels: 3 }, limitInputPixels: false });
  return picture.resize({ width: maxWidth, withoutEnlargement: true, kernel });
}

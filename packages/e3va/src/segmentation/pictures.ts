import { colorizeMask, type LabelMap, overlay, paletteColors, type SegmentationSplit } from '@e3va/datasets';
import { colorsUri, jpegUri } from '../report/pictures.ts';
import { type PictureRow, pictureTable } from '../report/pictures-table.ts';
import type { ReportSection } from '../report/report.ts';
import { predictImage } from './evaluate.ts';
import type { Segmenter } from './segmenter.ts';

/** Up to `count` samples of a split, evenly spread, beside their labels and what the segmenter says of them. */
export async function predictionSection(
  segmenter: Segmenter,
  split: SegmentationSplit,
  count = 8,
): Promise<ReportSection> {
  const colors = paletteColors(segmenter.classes);
  const shown = Math.min(count, split.length);
  const rows: PictureRow[] = [];
  for (let i = 0; i < shown; i++) {
    const { name, image, mask } = await split.load(Math.floor((i * split.length) / shown));
    const prediction: LabelMap = { ...mask, data: await predictImage(segmenter, image) };
    const pictures = [
      await jpegUri(image),
      await colorsUri(colorizeMask(mask, colors)),
      await colorsUri(colorizeMask(prediction, colors)),
      await jpegUri(overlay(image, prediction, 0.5, colors)),
    ];
    rows.push({ name, pictures });
  }
  return { title: 'Predictions', html: pictureTable(['Image', 'Label', 'Prediction', 'Overlay'], rows) };
}

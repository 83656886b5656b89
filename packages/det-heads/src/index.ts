export {
  type PyramidRoiAlignOptions,
  pyramidRoiAlign,
  type RoiAlignOptions,
  roiAlign,
} from './roi/roi-align.ts';
export type { Rois } from './roi/rois.ts';

export { NodeOnlyError } from '@e3va/highway-grad';
export { batchesPerEpoch, type PlanOptions } from './batch-plan.ts';
export { type BatchOptions, batches, type SegmentationBatch } from './batches.ts';
export { cachedSplit } from './cached-split.ts';
export type { ClassNames } from './class-names.ts';
export { type ClassPixels, classPixels } from './class-pixels.ts';
export type { ColorMap, Rgb } from './color-map.ts';
export type { ClassOptions } from './decide-classes.ts';
export {
  type DetectionBatch,
  type DetectionBatchOptions,
  detectionBatches,
} from './detection/batches.ts';
export {
  checkDetectionFolder,
  type DetectionCheck,
  openDetectionFolder,
} from './detection/detection-folder.ts';
export type { DetectionFolder } from './detection/open-folder.ts';
export type { DetectionFolderOptions, DetectionFormat } from './detection/options.ts';
export type { DataProblem } from './detection/problems.ts';
export type {
  Box,
  DetectionInfo,
  DetectionObject,
  DetectionSample,
  DetectionSplit,
  DetectionTransform,
  Segmentation,
} from './detection/sample.ts';
export type { DetectionTargets } from './detection/targets.ts';
export {
  type DetectionAugmentationOptions,
  detectionAugmentation,
} from './detection/transforms/augmentation.ts';
export { flipObjects } from './detection/transforms/flip.ts';
export { type MinIouCropOptions, minIouCrop } from './detection/transforms/min-iou-crop.ts';
export { mosaicOf } from './detection/transforms/mosaic.ts';
export { type RandomObjectCropOptions, randomObjectCrop } from './detection/transforms/random-object-crop.ts';
export {
  type DetectionInput,
  detectionInput,
  resizeShortSide,
  type ShortSideOptions,
} from './detection/transforms/resize.ts';
export { type ContactSheetOptions, contactSheet } from './drawing/contact-sheet.ts';
export { type DrawOptions, drawDetections, type Labelled } from './drawing/draw-detections.ts';
export {
  AmbiguousLayoutError,
  AnnotationError,
  AnnotationFormatError,
  type AnnotationPlace,
  AnnotationSyntaxError,
  AnnotationTooLargeError,
  BatchShapeError,
  ClassNamesError,
  type ClassRangeDetails,
  ClassRangeError,
  DuplicateNameError,
  EmptyDatasetError,
  FolderNotFoundError,
  ImageDecodeError,
  ImageSizeError,
  ImageTooLargeError,
  ImageWriteError,
  MaskFormatError,
  MaskSizeError,
  MissingImageError,
  MissingMaskError,
  OptionError,
  UnknownLayoutError,
  UnknownSplitError,
  UnsafePathError,
  UnsafeXmlError,
} from './errors.ts';
export { imageTensor } from './image-tensor.ts';
export type { LayoutName, SplitName } from './layouts.ts';
export { type MaskFolder, type MaskFolderOptions, openMaskFolder } from './mask-folder.ts';
export { colorizeMask, overlay } from './overlay.ts';
export { paletteColors } from './palette.ts';
export type { PngColorType, PngHeader } from './png/chunks.ts';
export { decodePng, type PngImage } from './png/decode-png.ts';
export { decodeImage, type ImageOptions, readImage, readImageSize } from './read-image.ts';
export { type Rng, rng, shuffledOrder } from './rng.ts';
export type { LabelMap, RgbImage, SegmentationSample, SegmentationSplit, Transform } from './sample.ts';
export { compose } from './transforms/compose.ts';
export { randomFlip } from './transforms/flip.ts';
export { type Normalization, normalize } from './transforms/normalize.ts';
export type { Size } from './transforms/options.ts';
export { type PadOptions, pad } from './transforms/pad.ts';
export { type PhotometricOptions, photometricDistortion } from './transforms/photometric.ts';
export { type RandomCropOptions, randomCrop } from './transforms/random-crop.ts';
export { type RandomScaleOptions, randomScale } from './transforms/random-scale.ts';
export { type RandomScaleCropOptions, randomScaleCrop } from './transforms/random-scale-crop.ts';
export { resizeImage, resizeMask, type Window } from './transforms/resample.ts';
export { type ResizeTarget, resize } from './transforms/resize.ts';
export { type TrainAugmentationOptions, trainAugmentation } from './transforms/train-augmentation.ts';
export { writeMask, writePng } from './write-png.ts';

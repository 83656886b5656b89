import { E3vaError, type ErrorParts } from '@e3va/highway-grad';

/** A function that reads or writes files was called outside Node. */
export class NodeOnlyError extends E3vaError {}

/** The data folder does not exist or is no folder. */
export class FolderNotFoundError extends E3vaError {}

/** The folder has none of the known layouts. The message lists what was looked for and what the folder holds. */
export class UnknownLayoutError extends E3vaError {}

/** A split, or the whole data set, holds no image. */
export class EmptyDatasetError extends E3vaError {}

/** Two images of a split, or two masks, have the same name without extension. */
export class DuplicateNameError extends E3vaError {}

/** The data set has no split of that name. */
export class UnknownSplitError extends E3vaError {}

/** The class names, or the mapping from mask values to classes, cannot be used. */
export class ClassNamesError extends E3vaError {}

/** An option has a value that cannot work. */
export class OptionError extends E3vaError {}

/** The file is no image, is damaged, or has a format that is not read. */
export class ImageDecodeError extends E3vaError {}

/** The image has more pixels than allowed. It was refused by its header, before decoding. */
export class ImageTooLargeError extends E3vaError {}

/** A picture could not be written. Nothing half-written is left behind. */
export class ImageWriteError extends E3vaError {}

/** A mask is not of the size of its image. */
export class MaskSizeError extends E3vaError {}

/** A mask is stored in a form that does not hold class values: JPEG, or RGB without a colour map. */
export class MaskFormatError extends E3vaError {}

/** The images of one batch differ in size. */
export class BatchShapeError extends E3vaError {}

/** Images without a mask. */
export class MissingMaskError extends E3vaError {
  /** Names of all images without a mask. */
  readonly names: readonly string[];

  constructor(parts: ErrorParts, names: readonly string[]) {
    super(parts);
    this.names = names;
  }
}

/** Where a mask holds a value that is no class. */
export interface ClassRangeDetails {
  /** Path of the mask file. */
  file: string;
  /** The mask value, or the colour as `#rrggbb`. */
  value: number | string;
  /** How many pixels hold that value. */
  pixels: number;
  /** Row of the first such pixel, from 0 at the top. */
  row: number;
  /** Column of the first such pixel, from 0 at the left. */
  column: number;
}

/** A mask holds a value, or a colour, that is no class and is not ignored. */
export class ClassRangeError extends E3vaError {
  /** The file, the value and its place. */
  readonly details: ClassRangeDetails;

  constructor(parts: ErrorParts, details: ClassRangeDetails) {
    super(parts);
    this.details = details;
  }
}

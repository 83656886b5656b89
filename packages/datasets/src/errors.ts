import { E3vaError, type ErrorParts } from '@e3va/highway-grad';

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

/** Where in an annotation file something is wrong. */
export interface AnnotationPlace {
  /** Path of the file. */
  file: string;
  /** Line, from 1, where it is known. */
  line?: number | undefined;
}

/** A file of boxes or outlines cannot be used. The message begins with the file and, where it is known, the line. */
export class AnnotationError extends E3vaError {
  /** Path of the file. */
  readonly file: string;
  /** Line of the file, from 1, where it is known. */
  readonly line: number | undefined;
  /** What is wrong, without the place. */
  readonly problem: string;

  constructor(parts: ErrorParts, place: AnnotationPlace, options?: ErrorOptions) {
    const where = place.line === undefined ? place.file : `${place.file}:${place.line}`;
    super({ ...parts, what: `${where}: ${parts.what}` }, options);
    this.file = place.file;
    this.line = place.line;
    this.problem = parts.what;
  }
}

/** The file is empty, cut short, binary, in an unknown encoding, or no JSON, XML, YAML or YOLO text. */
export class AnnotationSyntaxError extends AnnotationError {}

/** The file can be parsed but holds something else: results instead of a data set, oriented boxes, another XML. */
export class AnnotationFormatError extends AnnotationError {}

/** The file is larger than allowed. It was not read. */
export class AnnotationTooLargeError extends AnnotationError {}

/** The XML has a document type declaration, which could name other files or grow without bound. Nothing of it was read. */
export class UnsafeXmlError extends AnnotationError {}

/** An annotation names a file outside of the data folder, by its path or as an address. It was not opened. */
export class UnsafePathError extends AnnotationError {}

/** The annotations are for another size of their image, or for the image as stored, which its EXIF orientation turns. */
export class ImageSizeError extends AnnotationError {}

/** Annotated images that are not in the data folder. */
export class MissingImageError extends AnnotationError {
  /** Names of all missing images, as the annotations have them. */
  readonly names: readonly string[];

  constructor(parts: ErrorParts, place: AnnotationPlace, names: readonly string[]) {
    super(parts, place);
    this.names = names;
  }
}

/** The folder holds annotations in several forms, or several files for one split. */
export class AmbiguousLayoutError extends E3vaError {}

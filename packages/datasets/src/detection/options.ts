import type { SplitName } from '../layouts.ts';
import type { ImageOptions } from '../read-image.ts';

/** The forms of annotations that are read. */
export type DetectionFormat = 'coco' | 'voc' | 'yolo' | 'labelme';

/** How {@link openDetectionFolder} reads a folder. Everything has a default. */
export interface DetectionFolderOptions extends ImageOptions {
  /** The form of the annotations, where the folder holds several. Default: what is found. */
  format?: DetectionFormat;
  /**
   * Where the annotations lie, below the folder: a file or folder, or one for each split. Default: what is found.
   */
  annotations?: string | Partial<Record<SplitName, string>>;
  /**
   * Class names in order of their labels. Objects of other classes are left out. For YOLO, whose files hold numbers, these
   * are the names of 0, 1, 2 … Default: what the annotations or a file in the folder name.
   */
  classes?: readonly string[];
  /**
   * Share of the training images that become the validation split where the folder has none; 0 for no such split.
   * Default: 0.2.
   */
  valFraction?: number;
  /** Seed of that choice. Default: 0. */
  seed?: number;
  /** Number that VOC files give to the first column and row. Default: 1, or 0 if a box begins at 0. */
  firstPixel?: 0 | 1;
  /** Annotated images that are not there: an error that names them (default), or left out with a warning. */
  missingImages?: 'error' | 'drop';
  /**
   * What is checked of every image: that its header can be read and has the size the annotations say (default), only that
   * it is there, or that it can be decoded as a whole.
   */
  check?: 'headers' | 'names' | 'pixels';
}

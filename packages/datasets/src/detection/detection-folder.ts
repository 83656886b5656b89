import { E3vaError } from '@e3va/highway-grad';
import { ClassNamesError, EmptyDatasetError, OptionError } from '../errors.ts';
import { type DetectionFolder, openFolder } from './open-folder.ts';
import type { DetectionFolderOptions } from './options.ts';
import { byPlace, type DataProblem, Report } from './problems.ts';

/** What {@link checkDetectionFolder} found. */
export interface DetectionCheck {
  /** Everything that is wrong, by file and line. */
  problems: DataProblem[];
  /** The data set without what has errors, or `undefined` if nothing of it can be used. */
  folder: DetectionFolder | undefined;
}

/**
 * Opens a folder of images with boxes or outlines: COCO, PASCAL VOC, YOLO or LabelMe (Node only).
 *
 * The form is recognised by the files the folder holds, the splits by the words `train`, `val`, `valid` and `test` in names of
 * folders and COCO files, by the lists in `ImageSets/Main` or by `data.yaml`. Without a validation split one is split off by a
 * hash of the names. Images without objects are kept. Images that no COCO, VOC or LabelMe file mentions are not part of the data
 * set; for YOLO they are images without objects.
 *
 * **Coordinates.** Boxes become edges `x1 y1 x2 y2` in pixels of the upright image. VOC counts pixels from 1 and includes the last,
 * so its `xmin ymin xmax ymax` become `xmin - 1, ymin - 1, xmax, ymax`; if a box of the data set begins at 0, its files hold edges and
 * are taken as they are. Class numbers of YOLO and category ids of COCO become labels from 0 in their order.
 *
 * **Bad annotations.** One policy for all forms. What is repaired or left out is listed in `problems`, with file and line:
 *
 * - A box beyond the image is clipped; more than 0.1 pixels are listed. A box wholly outside is dropped.
 * - A box that is missing, not four finite numbers or without area is taken from the outline if that is good, else the object is
 *   dropped. A VOC box whose minimum equals its maximum has no area. VOC minimum and maximum are swapped where needed.
 * - A polygon with fewer than three points or a number that is none is dropped, beyond the image it is cut. A mask that cannot be
 *   decoded, is empty or not of the image's size is dropped; the box stays.
 * - An object of an unknown class, or of an image that is not listed, is dropped.
 * - Of two annotations with one id, the later gets a new one. Of two images with one id, the later is dropped. One file
 *   under two ids stays twice if the annotations are the same, else they are joined.
 * - The size of the image counts, not the one the annotations say. Only where they say the size before the EXIF orientation is that
 *   an error, since the boxes lie elsewhere.
 * - Images that are missing are one error that names them all, unless `missingImages` is `'drop'`. Back slashes and another case in
 *   names are forgiven. Names are only looked up among the files of the folder; one that leads out of it is an error unless an image
 *   of that last name is there. (Links that lie in the folder are followed.)
 * - A file that is not what it should be is an error with file and line: cut short, binary, too large, another form. XML with a
 *   document type declaration is refused. UTF-16 and byte order marks are read. `NaN` in JSON is read as `null`.
 *
 * @throws FolderNotFoundError, UnknownLayoutError, AmbiguousLayoutError, EmptyDatasetError, ClassNamesError, OptionError
 * @throws AnnotationSyntaxError, AnnotationFormatError, AnnotationTooLargeError, UnsafeXmlError, UnsafePathError
 * @throws MissingImageError, ImageSizeError, ImageDecodeError, ImageTooLargeError
 *
 * @example
 * ```ts
 * import { mkdir, writeFile } from 'node:fs/promises';
 * import { openDetectionFolder, writePng } from '@e3va/datasets';
 *
 * await mkdir('pets/images', { recursive: true });
 * await mkdir('pets/labels', { recursive: true });
 * for (const name of ['a', 'b']) {
 *   await writePng(`pets/images/${name}.png`, { width: 40, height: 20, data: new Uint8Array(2400) });
 *   await writeFile(`pets/labels/${name}.txt`, '1 0.5 0.5 0.25 0.5\n');
 * }
 * const folder = await openDetectionFolder('pets', { classes: ['cat', 'dog'] });
 * const { image, objects } = await folder.split('train').load(0);
 * console.log(folder.format, folder.splits, image.width); // yolo ['train', 'val'] 40
 * console.log(folder.classes[objects[0]!.label], objects[0]!.box); // dog [15, 5, 25, 15]
 * ```
 */
export function openDetectionFolder(
  directory: string,
  options: DetectionFolderOptions = {},
): Promise<DetectionFolder> {
  return openFolder(directory, options, new Report(true, options.missingImages));
}

/**
 * Checks a folder of images with boxes or outlines by the rules of {@link openDetectionFolder}, and goes on after an error where that
 * can be done (Node only). Images are decoded as a whole unless `check` says otherwise.
 *
 * @returns Everything that is wrong. Nothing that is wrong with the data is thrown.
 *
 * @example
 * ```ts
 * import { mkdir, writeFile } from 'node:fs/promises';
 * import { checkDetectionFolder, writePng } from '@e3va/datasets';
 *
 * await mkdir('odd/images', { recursive: true });
 * await mkdir('odd/labels', { recursive: true });
 * await writePng('odd/images/a.png', { width: 4, height: 4, data: new Uint8Array(48) });
 * await writeFile('odd/labels/a.txt', '0 0.5 0.5 1 1\n0 0.5 0.5 1.5 1\n');
 * const { problems } = await checkDetectionFolder('odd');
 * console.log(problems[0]); // { file: 'odd/labels/a.txt', line: 2, severity: 'warning', what: 'the box …', action: 'clipped' }
 * ```
 */
export async function checkDetectionFolder(
  directory: string,
  options: DetectionFolderOptions = {},
): Promise<DetectionCheck> {
  const report = new Report(false, options.missingImages);
  try {
    const folder = await openFolder(directory, { check: 'pixels', ...options }, report);
    return { problems: report.problems, folder };
  } catch (error) {
    if (!E3vaError.isInstance(error) || error instanceof OptionError) throw error;
    // That nothing is left tells nothing new once a file was refused.
    const told = error instanceof EmptyDatasetError || error instanceof ClassNamesError;
    if (!told || !report.problems.some(({ severity }) => severity === 'error')) report.fail(error, directory);
    return { problems: report.problems.sort(byPlace), folder: undefined };
  }
}

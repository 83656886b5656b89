import {
  checkDetectionFolder,
  contactSheet,
  type DataProblem,
  type DetectionFolder,
  type DetectionFormat,
  type MaskFolder,
  openMaskFolder,
  UnknownLayoutError,
  writePng,
} from '@e3va/datasets';

/** How {@link checkData} checks. */
export interface CheckDataOptions {
  /** The form of the annotations, where the folder holds several. */
  format?: DetectionFormat;
  /** Where the contact sheet goes. */
  sheet: string;
  /** Images on the contact sheet. */
  count: number;
}

/**
 * Prints what a data folder holds and everything that is wrong in it, by file and line, and draws a sheet of annotated images.
 *
 * @returns Whether training can use the folder.
 */
export async function checkData(
  directory: string,
  { format, sheet, count }: CheckDataOptions,
  print: (line: string) => void,
): Promise<boolean> {
  const { problems, folder } = await checkDetectionFolder(directory, format ? { format } : {});
  const masks = folder ? undefined : await masksOf(directory, problems);
  if (masks) {
    printFolder(masks, `${masks.layout} masks`, print);
    return true;
  }
  for (const problem of problems) print(problemLine(problem));
  const errors = problems.filter(({ severity }) => severity === 'error').length;
  print(`${errors} errors, ${problems.length - errors} warnings`);
  if (!folder) return false;
  printFolder(folder, folder.format, print);
  const split = folder.split(folder.splits[0]!);
  await writePng(sheet, await contactSheet(split, { classes: folder.classes, count }));
  print(`contact sheet: ${sheet}`);
  return errors === 0;
}

/** The folder as one of images and masks, if that is what it is: then no detection layout was found at all. */
async function masksOf(directory: string, problems: readonly DataProblem[]): Promise<MaskFolder | undefined> {
  if (problems.length > 1) return undefined;
  try {
    return await openMaskFolder(directory);
  } catch (error) {
    if (error instanceof UnknownLayoutError || problems.length > 0) return undefined;
    throw error;
  }
}

function problemLine({ file, line, severity, what, action }: DataProblem): string {
  return `${severity}: ${file}${line === undefined ? '' : `:${line}`}: ${what}; ${action}`;
}

function printFolder(
  folder: DetectionFolder | MaskFolder,
  form: string,
  print: (line: string) => void,
): void {
  print(`${folder.directory}: ${form}, ${folder.classes.length} classes`);
  for (const note of folder.notes) print(`  ${note}`);
  for (const name of folder.splits) {
    const split = folder.split(name);
    if (!('info' in split)) {
      print(`  ${name}: ${split.length} images`);
      continue;
    }
    const objects = Array.from({ length: split.length }, (_, i) => split.info(i).objects);
    const counts = folder.classes.map(
      (label, c) => `${label} ${objects.flat().filter((object) => object.label === c).length}`,
    );
    const empty = objects.filter((of) => of.length === 0).length;
    print(
      `  ${name}: ${split.length} images (${empty} empty), ${objects.flat().length} objects: ${counts.join(', ')}`,
    );
  }
}

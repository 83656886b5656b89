import { AnnotationSyntaxError, AnnotationTooLargeError } from '../errors.ts';
import { nodeModule } from '../node.ts';
import { lineAt } from './lines.ts';

/** Largest annotation files that are read: a COCO file may hold a whole data set, the others one image. */
export const maxFileBytes = { json: 500_000_000, labelme: 100_000_000, xml: 16_000_000, text: 16_000_000 };

/**
 * The text of an annotation file: UTF-8 or UTF-16 by its byte order mark or first bytes, for XML also what its
 * declaration names.
 *
 * @param options `empty`: whether an empty file is fine.
 * @throws AnnotationTooLargeError before reading, if the file is larger than `limit`.
 * @throws AnnotationSyntaxError if it cannot be read, is empty, binary or in another encoding.
 */
export async function readText(file: string, limit: number, { empty = false } = {}): Promise<string> {
  const { readFile, stat } = nodeModule('node:fs/promises');
  let bytes: Uint8Array;
  try {
    const { size } = await stat(file);
    if (size > limit) throw tooLarge(file, size, limit);
    bytes = await readFile(file);
  } catch (cause) {
    if (cause instanceof AnnotationTooLargeError) throw cause;
    const what = `cannot be read: ${(cause as Error).message}`;
    throw new AnnotationSyntaxError({ what, fix: 'check that the file may be read' }, { file }, { cause });
  }
  const text = decodeText(bytes, file);
  if (!empty && text.trim() === '') {
    throw new AnnotationSyntaxError({ what: 'is empty', fix: 'export it again, or remove it' }, { file });
  }
  return text;
}

/** Decodes the bytes of an annotation file. Errors as {@link readText}. */
export function decodeText(bytes: Uint8Array, file: string): string {
  const encoding = encodingOf(bytes);
  let decoder: TextDecoder;
  try {
    decoder = new TextDecoder(encoding, { fatal: true });
  } catch (cause) {
    const what = `has the encoding ${encoding}, which is not read`;
    throw new AnnotationSyntaxError({ what, fix: 'save it as UTF-8' }, { file, line: 1 }, { cause });
  }
  let text: string;
  try {
    text = decoder.decode(bytes);
  } catch (cause) {
    const line = firstBadLine(bytes, encoding);
    const what = `is not the ${encoding.toUpperCase()} text it should be`;
    throw new AnnotationSyntaxError({ what, fix: 'save it as UTF-8' }, { file, line }, { cause });
  }
  if (text.startsWith('version https://git-lfs.')) {
    const what = 'is a Git LFS pointer, not the file itself';
    throw new AnnotationSyntaxError({ what, fix: 'run `git lfs pull` in the folder it came from' }, { file });
  }
  const nul = text.indexOf('\0');
  if (nul < 0) return text;
  const what = 'is a binary file';
  throw new AnnotationSyntaxError({ what, fix: 'export it again' }, { file, line: lineAt(text, nul) });
}

function encodingOf(bytes: Uint8Array): string {
  const [a = 1, b = 1] = bytes;
  if ((a === 0xff && b === 0xfe) || (a !== 0 && b === 0 && bytes.length > 2)) return 'utf-16le';
  if ((a === 0xfe && b === 0xff) || (a === 0 && b !== 0)) return 'utf-16be';
  const head = new TextDecoder('latin1').decode(bytes.subarray(0, 200));
  const declared = /^(?:\xEF\xBB\xBF)?\s*<\?xml[^>]*\sencoding\s*=\s*["']([\w.:-]+)["']/i.exec(head)?.[1];
  // A file of single bytes that says UTF-16 was converted without touching its declaration.
  return declared === undefined || /^utf-?16/i.test(declared) ? 'utf-8' : declared.toLowerCase();
}

function firstBadLine(bytes: Uint8Array, encoding: string): number | undefined {
  const text = new TextDecoder(encoding).decode(bytes);
  const bad = text.indexOf('\uFFFD');
  return bad < 0 ? undefined : lineAt(text, bad);
}

function tooLarge(file: string, size: number, limit: number): AnnotationTooLargeError {
  return new AnnotationTooLargeError(
    {
      what: 'is too large for an annotation file',
      expected: `at most ${limit} bytes`,
      received: `${size} bytes`,
      fix: 'split it by images, or remove what is no annotation',
    },
    { file },
  );
}

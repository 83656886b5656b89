import { ImageDecodeError } from './errors.ts';
import { nodeModule } from './node.ts';

/**
 * The bytes of a file.
 *
 * @throws ImageDecodeError if it cannot be read, is empty, or is a Git LFS pointer.
 */
export async function readBytes(file: string): Promise<Uint8Array> {
  let bytes: Uint8Array;
  try {
    bytes = await nodeModule('node:fs/promises').readFile(file);
  } catch (cause) {
    const what = `${file} cannot be read: ${(cause as Error).message}`;
    throw new ImageDecodeError({ what, fix: 'check that the file exists and may be read' }, { cause });
  }
  refuseNonImages(bytes, file);
  return bytes;
}

/** The first `length` bytes of a file, or all of a shorter one. Errors as {@link readBytes}. */
export async function readHead(file: string, length: number): Promise<Uint8Array> {
  const { open } = nodeModule('node:fs/promises');
  const head = new Uint8Array(length);
  let read: number;
  try {
    const handle = await open(file, 'r');
    try {
      read = (await handle.read(head, 0, length, 0)).bytesRead;
    } finally {
      await handle.close();
    }
  } catch (cause) {
    const what = `${file} cannot be read: ${(cause as Error).message}`;
    throw new ImageDecodeError({ what, fix: 'check that the file exists and may be read' }, { cause });
  }
  refuseNonImages(head.subarray(0, read), file);
  return head.subarray(0, read);
}

function refuseNonImages(bytes: Uint8Array, file: string): void {
  if (bytes.length === 0) {
    throw new ImageDecodeError({ what: `${file} is an empty file`, fix: 'copy or download it again' });
  }
  if (Buffer.from(bytes.subarray(0, 24)).toString('latin1') === 'version https://git-lfs.') {
    throw new ImageDecodeError({
      what: `${file} is a Git LFS pointer, not the image itself`,
      fix: 'run `git lfs pull` in the folder it came from',
    });
  }
}

import { type ByteOrigin, isRemote } from '../byte-source.ts';
import { damaged, shown } from '../damaged.ts';

/** Where a file that is named in another one is found. */
export type Beside = (file: string) => ByteOrigin | Promise<ByteOrigin>;

/**
 * Files in the folder of a path or address, and below it.
 *
 * @throws {@link WeightFileError} for bytes in memory, which have no folder.
 */
export function besideOf(origin: ByteOrigin, name: string): Beside {
  return (file) => {
    if (typeof origin !== 'string' && !(origin instanceof URL)) {
      throw damaged(
        name,
        `'${shown(file)}', which it names, cannot be found: bytes in memory have no folder`,
        {
          fix: 'pass the path or address of the file, or the option beside',
        },
      );
    }
    // letters that have a meaning in addresses are part of the name; dots cannot lead upwards, names are checked
    const encoded = file.split('/').map(encodeURIComponent).join('/');
    const text = String(origin);
    if (/^[a-z][a-z\d+.-]+:\/\//i.test(text)) return new URL(encoded, text);
    if (isRemote(text)) return text.replace(/[^/]*$/, encoded);
    return text.replace(process.platform === 'win32' ? /[^/\\]*$/ : /[^/]*$/, '') + file;
  };
}

/**
 * Checks the name of a file that another file names: it must stay in the folder.
 *
 * @throws {@link WeightFileError}
 */
export function checkBeside(index: string, file: unknown): asserts file is string {
  const inside =
    typeof file === 'string' &&
    file.length <= 1000 &&
    !/^$|^\/|[\\\0:]/.test(file) &&
    file.split('/').every((part) => part !== '' && part !== '.' && part !== '..');
  if (inside) return;
  throw damaged(index, 'it names a file outside of its folder', {
    received: `'${shown(file)}'`,
    fix: 'the file is not to be trusted: take it from another source',
  });
}

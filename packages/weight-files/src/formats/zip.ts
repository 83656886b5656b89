import { inflateSync } from 'fflate';
import type { ByteSource } from '../byte-source.ts';
import { damaged, shown } from '../damaged.ts';
import { crc32 } from './crc32.ts';
import { localLength, readDirectory, type ZipEntry } from './zip-directory.ts';

/** An open zip file: entries by name, contents when asked for. */
export interface ZipFile {
  readonly entries: ReadonlyMap<string, ZipEntry>;
  /** All of an entry, unpacked; its checksum is checked. */
  read(name: string): Promise<Uint8Array>;
  /** A stretch of an entry. The whole entry's checksum is checked once before, in small pieces if it is stored. */
  readPart(name: string, offset: number, length: number): Promise<Uint8Array>;
}

/** Bytes that are read at a time where only a checksum is wanted. */
const piece = 1 << 20;

/** Opens a zip file; deflated entries may be unpacked to no more than twice the file (and 1 MB), which real weights never reach. */
export async function openZip(file: ByteSource): Promise<ZipFile> {
  const entries = new Map((await readDirectory(file)).map((entry) => [entry.name, entry]));
  const checked = new Set<string>();
  const find = (name: string): ZipEntry => {
    const entry = entries.get(name);
    if (!entry) throw damaged(file.name, `the zip file has no entry '${shown(name)}'`);
    return entry;
  };

  async function read(name: string): Promise<Uint8Array> {
    const entry = find(name);
    checkSize(file, entry);
    const start = await dataStart(file, entry);
    const packed = await file.read(start, entry.packed);
    const bytes = entry.method === 0 ? packed : unpack(file, entry, packed);
    checkSum(file, entry, crc32(bytes));
    checked.add(name);
    return bytes;
  }

  async function readPart(name: string, offset: number, length: number): Promise<Uint8Array> {
    const entry = find(name);
    if (offset + length > entry.size) throw damaged(file.name, `zip entry '${shown(name)}' is too short`);
    if (offset === 0 && length === entry.size) return read(name);
    if (entry.method !== 0) return new Uint8Array((await read(name)).subarray(offset, offset + length));
    checkSize(file, entry);
    const start = await dataStart(file, entry);
    if (!checked.has(name)) {
      let crc = 0;
      for (let at = 0; at < entry.size; at += piece) {
        crc = crc32(await file.read(start + at, Math.min(piece, entry.size - at)), crc);
      }
      checkSum(file, entry, crc);
      checked.add(name);
    }
    return file.read(start + offset, length);
  }
  return { entries, read, readPart };
}

function checkSize(file: ByteSource, { name, method, packed, size }: ZipEntry): void {
  if (method !== 0 && method !== 8) {
    throw damaged(file.name, `zip entry '${shown(name)}' is packed by an unknown method`, {
      expected: '0 (stored) or 8 (deflated)',
      received: String(method),
      fix: 'pack the file again without compression',
    });
  }
  if (method === 0 && packed !== size) {
    throw damaged(file.name, `zip entry '${shown(name)}' has two sizes`, {
      received: `${packed} and ${size} bytes`,
    });
  }
  const most = 2 * file.size + 1e6;
  if (size > most) {
    throw damaged(file.name, `zip entry '${shown(name)}' would unpack to more than any weight file does`, {
      expected: `at most ${most} bytes for a file of ${file.size} bytes`,
      received: `${size} bytes`,
      fix: 'the file is not to be trusted: take it from another source',
    });
  }
}

/** Where the bytes of an entry begin: behind its local header, which must agree with the directory. */
async function dataStart(file: ByteSource, entry: ZipEntry): Promise<number> {
  const head = await file.read(entry.header, localLength);
  const data = new DataView(head.buffer);
  const nameLength = data.getUint16(26, true);
  const start = entry.header + localLength + nameLength + data.getUint16(28, true);
  const wrong = data.getUint32(0, true) !== 0x04034b50 || data.getUint16(8, true) !== entry.method;
  if (wrong || start + entry.packed > entry.limit) {
    throw damaged(file.name, `zip entry '${shown(entry.name)}' has a header that contradicts the directory`);
  }
  const name = new TextDecoder().decode(await file.read(entry.header + localLength, nameLength));
  if (name !== entry.name) {
    throw damaged(file.name, `zip entry '${shown(entry.name)}' has another name in its header`, {
      received: `'${shown(name)}'`,
    });
  }
  return start;
}

function unpack(file: ByteSource, { name, size }: ZipEntry, packed: Uint8Array): Uint8Array {
  const broken = (received: string, cause?: unknown) =>
    damaged(file.name, `zip entry '${shown(name)}' cannot be unpacked`, { received }, cause);
  let bytes: Uint8Array;
  try {
    // never more memory than this: what does not fit is dropped; one byte more tells that something did not
    bytes = inflateSync(packed, { out: new Uint8Array(size + 1) });
  } catch (cause) {
    throw broken((cause as Error).message, cause);
  }
  if (bytes.length === size) return bytes;
  throw broken(`${bytes.length > size ? 'more' : 'fewer'} bytes than the ${size} that the directory says`);
}

function checkSum(file: ByteSource, { name, crc }: ZipEntry, received: number): void {
  if (crc === received) return;
  throw damaged(file.name, `zip entry '${shown(name)}' is damaged: its checksum is wrong`, {
    expected: crc.toString(16),
    received: received.toString(16),
    fix: 'download the file again; if PyTorch wrote it without checksums (set_crc32_options), save it with them',
  });
}

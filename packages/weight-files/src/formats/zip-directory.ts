import type { ByteSource } from '../byte-source.ts';
import { damaged, shown } from '../damaged.ts';

/** One entry of a zip file, as its central directory has it. */
export interface ZipEntry {
  name: string;
  /** 0 stored, 8 deflated. */
  method: number;
  crc: number;
  /** Bytes in the file. */
  packed: number;
  /** Bytes unpacked. */
  size: number;
  /** Where the local header stands. */
  header: number;
  /** Where the next entry, or the directory, begins. */
  limit: number;
}

interface Directory {
  offset: number;
  size: number;
  count: number;
}

const endLength = 22;
const end64Length = 56;
const locatorLength = 20;
export const localLength = 30;
const centralLength = 46;

/**
 * Reads the central directory of a zip file and checks it: sizes and positions lie inside the file, entries do not overlap, and
 * names are unique and lead nowhere outside.
 *
 * Source: PKWARE's APPNOTE, sections 4.3 and 4.5.3 (zip64).
 */
export async function readDirectory(file: ByteSource): Promise<ZipEntry[]> {
  const directory = await findDirectory(file);
  const bytes = await file.read(directory.offset, directory.size);
  const entries: ZipEntry[] = [];
  let at = 0;
  for (let i = 0; i < directory.count; i++) {
    const { entry, next } = centralEntry(file, bytes, at, directory.offset);
    entries.push(entry);
    at = next;
  }
  if (at !== bytes.length) throw damaged(file.name, 'the zip directory has bytes behind its last entry');
  checkPlaces(file, entries, directory.offset);
  return entries;
}

function view(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** A 64-bit number; those too large to be a position become one that every check refuses. */
function big(data: DataView, at: number): number {
  return Number(data.getBigUint64(at, true));
}

async function findDirectory(file: ByteSource): Promise<Directory> {
  const tailLength = Math.min(file.size, endLength + 0xffff);
  const tailStart = file.size - tailLength;
  const data = view(await file.read(tailStart, tailLength));
  let at = tailLength - endLength;
  const isEnd = (p: number) =>
    data.getUint32(p, true) === 0x06054b50 && p + endLength + data.getUint16(p + 20, true) === tailLength;
  while (at >= 0 && !isEnd(at)) at--;
  if (at < 0) {
    throw damaged(file.name, 'the zip file has no end record', {
      fix: 'the file is cut short or padded: download it again',
    });
  }
  if (data.getUint16(at + 4, true) !== 0 || data.getUint16(at + 6, true) !== 0) {
    const disks = data.getUint16(at + 4, true);
    if (disks !== 0xffff) throw damaged(file.name, 'it is one part of a zip file of several');
  }
  const end = tailStart + at;
  const here: Directory = {
    count: data.getUint16(at + 10, true),
    size: data.getUint32(at + 12, true),
    offset: data.getUint32(at + 16, true),
  };
  const wide = here.count === 0xffff || here.size === 0xffffffff || here.offset === 0xffffffff;
  const directory = (wide && (await directory64(file, end))) || here;
  return checkDirectory(file, directory, end);
}

/** The zip64 end record before the end record, if there is one. */
async function directory64(file: ByteSource, end: number): Promise<Directory | undefined> {
  if (end < locatorLength + end64Length) return undefined;
  const locator = view(await file.read(end - locatorLength, locatorLength));
  if (locator.getUint32(0, true) !== 0x07064b50) return undefined;
  const at = big(locator, 8);
  if (at > end - locatorLength - end64Length) {
    throw damaged(file.name, 'the zip64 end record lies outside the file');
  }
  const record = view(await file.read(at, end64Length));
  if (record.getUint32(0, true) !== 0x06064b50) throw damaged(file.name, 'the zip64 end record is missing');
  return { count: big(record, 32), size: big(record, 40), offset: big(record, 48) };
}

function checkDirectory(file: ByteSource, directory: Directory, end: number): Directory {
  const { offset, size, count } = directory;
  if (offset + size > end || count * centralLength > size) {
    throw damaged(file.name, 'the zip directory lies outside the file', {
      expected: `at most ${end} bytes`,
      received: `${count} entries in ${size} bytes from position ${offset}`,
    });
  }
  return directory;
}

function centralEntry(
  file: ByteSource,
  bytes: Uint8Array,
  at: number,
  limit: number,
): { entry: ZipEntry; next: number } {
  const cut = () => damaged(file.name, 'the zip directory is cut short');
  if (at + centralLength > bytes.length) throw cut();
  const data = view(bytes);
  if (data.getUint32(at, true) !== 0x02014b50) throw damaged(file.name, 'the zip directory is damaged');
  const [nameLength, extraLength, commentLength] = [28, 30, 32].map((p) => data.getUint16(at + p, true)) as [
    number,
    number,
    number,
  ];
  const extraStart = at + centralLength + nameLength;
  const next = extraStart + extraLength + commentLength;
  if (next > bytes.length) throw cut();
  const name = entryName(file, bytes.subarray(at + centralLength, extraStart));
  if (data.getUint16(at + 8, true) & 1) throw damaged(file.name, `zip entry '${shown(name)}' is encrypted`);
  const entry = {
    name,
    method: data.getUint16(at + 10, true),
    crc: data.getUint32(at + 16, true),
    packed: data.getUint32(at + 20, true),
    size: data.getUint32(at + 24, true),
    header: data.getUint32(at + 42, true),
    limit,
  };
  widen(file, entry, view(bytes.subarray(extraStart, extraStart + extraLength)));
  return { entry, next };
}

/** Replaces the numbers that do not fit into 32 bits by those of the zip64 extra field. */
function widen(file: ByteSource, entry: ZipEntry, extra: DataView): void {
  const wanted = (['size', 'packed', 'header'] as const).filter((key) => entry[key] === 0xffffffff);
  if (wanted.length === 0) return;
  for (let at = 0; at + 4 <= extra.byteLength; ) {
    const [id, length] = [extra.getUint16(at, true), extra.getUint16(at + 2, true)];
    if (id === 1 && length >= 8 * wanted.length && at + 4 + length <= extra.byteLength) {
      wanted.forEach((key, i) => {
        entry[key] = big(extra, at + 4 + 8 * i);
      });
      return;
    }
    at += 4 + length;
  }
  throw damaged(file.name, `zip entry '${shown(entry.name)}' lacks its 64-bit sizes`);
}

function entryName(file: ByteSource, bytes: Uint8Array): string {
  const name = new TextDecoder().decode(bytes);
  const outside = name.startsWith('/') || name.split('/').includes('..') || /[\\\0]/.test(name);
  if (outside || name === '') {
    throw damaged(file.name, 'the zip file has an entry whose name leads outside', {
      received: `'${shown(name)}'`,
      fix: 'the file is not to be trusted: take it from another source',
    });
  }
  return name;
}

/** Sets the limits of the entries, and refuses names that come twice and entries that share bytes. */
function checkPlaces(file: ByteSource, entries: readonly ZipEntry[], end: number): void {
  const names = new Set<string>();
  for (const { name } of entries) {
    if (names.has(name)) throw damaged(file.name, `the zip file has '${shown(name)}' twice`);
    names.add(name);
  }
  const sorted = [...entries].sort((a, b) => a.header - b.header);
  sorted.forEach((entry, i) => {
    entry.limit = sorted[i + 1]?.header ?? end;
    if (entry.header + localLength + entry.packed > entry.limit) {
      throw damaged(file.name, `zip entry '${shown(entry.name)}' overlaps another or leaves the file`, {
        expected: `at most ${entry.limit - entry.header} bytes`,
        received: `${entry.packed} bytes and a header`,
      });
    }
  });
}

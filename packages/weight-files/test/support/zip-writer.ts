import { deflateSync } from 'fflate';
import { crc32 } from '../../src/formats/crc32.ts';
import { bytesOf, le } from './bytes.ts';

/** An entry of {@link zip}; what the directory says of it can be made a lie. */
export interface EntryToWrite {
  name: string;
  data: Uint8Array;
  deflated?: boolean;
  lie?: { crc?: number; size?: number; packed?: number; header?: number; method?: number; flags?: number };
  /** Whether sizes and position stand in a zip64 field, and what it holds if it lies. */
  zip64?: boolean | { size: bigint; packed: bigint; header: bigint };
  localName?: string;
}

/** A zip file. */
export function zip(entries: readonly EntryToWrite[], { zip64 = false, comment = '' } = {}): Uint8Array {
  const local: Uint8Array[] = [];
  const central: Uint8Array[] = [];
  let at = 0;
  for (const entry of entries) {
    const body = entry.deflated ? deflateSync(entry.data) : entry.data;
    const localName = new TextEncoder().encode(entry.localName ?? entry.name);
    const method = entry.deflated ? 8 : 0;
    const crc = entry.lie?.crc ?? crc32(entry.data);
    const head = bytesOf(
      'PK\x03\x04',
      [20, 0, 0, 0, method, 0, 0, 0, 0, 0],
      le(crc, 4),
      le(body.length, 4),
      le(entry.data.length, 4),
      le(localName.length, 2),
      [0, 0],
      localName,
    );
    local.push(head, body);
    central.push(
      centralEntry(entry, { crc, size: entry.data.length, packed: body.length, header: at, method }),
    );
    at += head.length + body.length;
  }
  const directory = bytesOf(...central);
  const end = zip64 ? end64(entries.length, directory.length, at) : new Uint8Array(0);
  const wide = (value: number, bytes: number) => le(zip64 ? -1 : value, bytes);
  return bytesOf(
    ...local,
    directory,
    end,
    'PK\x05\x06',
    [0, 0, 0, 0],
    wide(entries.length, 2),
    wide(entries.length, 2),
    wide(directory.length, 4),
    wide(at, 4),
    le(comment.length, 2),
    comment,
  );
}

interface Facts {
  crc: number;
  size: number;
  packed: number;
  header: number;
  method: number;
}

function centralEntry({ name, lie = {}, zip64 }: EntryToWrite, facts: Facts): Uint8Array {
  const { crc, size, packed, header, method } = { ...facts, ...lie };
  const wide = typeof zip64 === 'object' ? zip64 : { size, packed, header };
  const extra = zip64
    ? bytesOf([1, 0, 24, 0], le(wide.size, 8), le(wide.packed, 8), le(wide.header, 8))
    : new Uint8Array(0);
  const narrow = (value: number) => le(zip64 ? -1 : value, 4);
  const nameBytes = new TextEncoder().encode(name);
  return bytesOf(
    'PK\x01\x02',
    [20, 0, 20, 0],
    le(lie.flags ?? 0, 2),
    [method, 0, 0, 0, 0, 0],
    le(crc, 4),
    narrow(packed),
    narrow(size),
    le(nameBytes.length, 2),
    le(extra.length, 2),
    [0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    narrow(header),
    nameBytes,
    extra,
  );
}

function end64(count: number, size: number, offset: number): Uint8Array {
  return bytesOf(
    'PK\x06\x06',
    le(44, 8),
    [45, 0, 45, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    le(count, 8),
    le(count, 8),
    le(size, 8),
    le(offset, 8),
    'PK\x06\x07',
    [0, 0, 0, 0],
    le(offset + size, 8),
    [1, 0, 0, 0],
  );
}

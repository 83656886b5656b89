import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { crc32c, maskedCrc32c } from './crc32c.ts';
import { TensorBoardWriter } from './writer.ts';

const dir = mkdtempSync(join(tmpdir(), 'e3va-tb-'));
afterAll(() => rmSync(dir, { recursive: true }));

type Fields = Map<number, (bigint | number | Uint8Array)[]>;

/** A reader that shares nothing with the writer: wire types 0, 1, 2 and 5 by BigInt and Buffer methods. */
function decode(bytes: Buffer): Fields {
  const fields: Fields = new Map();
  let at = 0;
  const skip = (n: number) => {
    at += n;
    return at - n;
  };
  const varint = () => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = bytes.readUInt8(skip(1));
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return value;
    }
  };
  while (at < bytes.length) {
    const key = varint();
    const list = fields.get(Number(key >> 3n)) ?? [];
    fields.set(Number(key >> 3n), list);
    if ((key & 7n) === 0n) list.push(varint());
    else if ((key & 7n) === 1n) list.push(bytes.readDoubleLE(skip(8)));
    else if ((key & 7n) === 5n) list.push(bytes.readFloatLE(skip(4)));
    else {
      const length = Number(varint());
      const start = skip(length);
      list.push(bytes.subarray(start, start + length));
    }
  }
  return fields;
}

function records(file: Buffer): Buffer[] {
  const out: Buffer[] = [];
  for (let at = 0; at < file.length; ) {
    const length = Number(file.readBigUInt64LE(at));
    const data = file.subarray(at + 12, at + 12 + length);
    const unmask = (masked: number) => {
      const turned = (masked - 0xa282ead8) >>> 0;
      return ((turned >>> 17) | (turned << 15)) >>> 0;
    };
    expect(unmask(file.readUInt32LE(at + 8))).toBe(bitwiseCrc(file.subarray(at, at + 8)));
    expect(unmask(file.readUInt32LE(at + 12 + length))).toBe(bitwiseCrc(data));
    out.push(data);
    at += 16 + length;
  }
  return out;
}

function bitwiseCrc(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let i = 0; i < 8; i++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  }
  return (crc ^ 0xffffffff) >>> 0;
}

describe('crc32c', () => {
  it('gives the vectors of RFC 3720 B.4', () => {
    expect(crc32c(new TextEncoder().encode('123456789'))).toBe(0xe3069283);
    expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa);
    expect(crc32c(new Uint8Array(32).fill(0xff))).toBe(0x62a8ab43);
    expect(crc32c(Uint8Array.from({ length: 32 }, (_, i) => i))).toBe(0x46dd794e);
    expect(maskedCrc32c(new Uint8Array(0))).toBe(0xa282ead8);
  });
});

describe('TensorBoardWriter', () => {
  it('writes events that an independent reader understands', () => {
    const writer = new TensorBoardWriter(dir, () => 1234.5);
    writer.scalars(300, { 'train/loss': 0.25, 'train/lr': 1e-3 });
    const png = Uint8Array.from([137, 80, 78, 71]);
    writer.image(2 ** 33, 'val/größe', { width: 320, height: 200, bytes: png });
    expect(writer.path).toMatch(/events\.out\.tfevents\.1234\./);

    const [version, scalars, image] = records(readFileSync(writer.path)).map(decode);
    expect(version!.get(1)).toEqual([1234.5]);
    expect(String(version!.get(3)![0])).toBe('brain.Event:2');

    expect(scalars!.get(2)).toEqual([300n]);
    const values = decode(scalars!.get(5)![0] as Buffer)
      .get(1)!
      .map((v) => decode(v as Buffer));
    expect(values.map((v) => [String(v.get(1)![0]), v.get(2)![0]])).toEqual([
      ['train/loss', 0.25],
      ['train/lr', Math.fround(1e-3)],
    ]);

    expect(image!.get(2)).toEqual([2n ** 33n]);
    const value = decode(decode(image!.get(5)![0] as Buffer).get(1)![0] as Buffer);
    expect(String(value.get(1)![0])).toBe('val/größe');
    const picture = decode(value.get(4)![0] as Buffer);
    expect([1, 2, 3].map((n) => picture.get(n)![0])).toEqual([200n, 320n, 3n]);
    expect([...(picture.get(4)![0] as Buffer)]).toEqual([...png]);
  });
});

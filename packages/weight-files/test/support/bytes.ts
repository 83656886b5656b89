/** Bytes from numbers, texts and other bytes, one behind the other. */
export function bytesOf(...parts: (number | string | ArrayBufferView | readonly number[])[]): Uint8Array {
  const arrays = parts.map((part) => {
    if (typeof part === 'number') return Uint8Array.of(part);
    if (typeof part === 'string') return new TextEncoder().encode(part);
    if (ArrayBuffer.isView(part)) return new Uint8Array(part.buffer, part.byteOffset, part.byteLength);
    return Uint8Array.from(part);
  });
  const all = new Uint8Array(arrays.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const array of arrays) {
    all.set(array, at);
    at += array.length;
  }
  return all;
}

/** A number in little-endian bytes. */
export function le(value: number | bigint, bytes: number): Uint8Array {
  const all = new Uint8Array(8);
  new DataView(all.buffer).setBigUint64(0, BigInt.asUintN(64, BigInt(value)), true);
  return all.slice(0, bytes);
}

/** More bytes are wanted than are there: the pickle is cut short, or only its beginning was read so far. */
export class OutOfBytes extends Error {}

/** The pickle contradicts itself or its format, or asks for something that is refused. */
export class PickleError extends Error {}

const latin1Piece = 8192;

/** Longest text or number of a pickle's lines; they hold names and decimal numbers. */
const maxLine = 1000;

/** Reads numbers and texts of a pickle one after another; never beyond the bytes. */
export class PickleInput {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #text = new TextDecoder();
  at: number;

  constructor(bytes: Uint8Array, at: number) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.at = at;
  }

  #take(length: number): number {
    const start = this.at;
    if (!(length >= 0 && start + length <= this.#bytes.length)) throw new OutOfBytes();
    this.at += length;
    return start;
  }

  u8(): number {
    return this.#view.getUint8(this.#take(1));
  }

  u16(): number {
    return this.#view.getUint16(this.#take(2), true);
  }

  u32(): number {
    return this.#view.getUint32(this.#take(4), true);
  }

  i32(): number {
    return this.#view.getInt32(this.#take(4), true);
  }

  u64(): number {
    return Number(this.#view.getBigUint64(this.#take(8), true));
  }

  f64(): number {
    return this.#view.getFloat64(this.#take(8), false);
  }

  /** A view, not a copy. */
  bytes(length: number): Uint8Array {
    const start = this.#take(length);
    return this.#bytes.subarray(start, start + length);
  }

  utf8(length: number): string {
    return this.#text.decode(this.bytes(length));
  }

  /** A string of Python 2, a byte a character. */
  latin1(length: number): string {
    const bytes = this.bytes(length);
    let text = '';
    for (let at = 0; at < length; at += latin1Piece) {
      text += String.fromCharCode(...bytes.subarray(at, at + latin1Piece));
    }
    return text;
  }

  /** Text up to the end of a line. */
  line(): string {
    const end = this.#bytes.subarray(this.at, this.at + maxLine).indexOf(10);
    if (end < 0) {
      if (this.#bytes.length - this.at > maxLine) throw new PickleError('a line has no end');
      throw new OutOfBytes();
    }
    const text = this.utf8(end);
    this.at++;
    return text;
  }

  /** An integer of any length in two's complement, least byte first. */
  integer(length: number): number | bigint {
    if (length > maxLine) throw new PickleError(`an integer of ${length} bytes`);
    const bytes = this.bytes(length);
    let value = 0n;
    for (let i = length - 1; i >= 0; i--) value = value * 256n + BigInt(bytes[i]!);
    if (length > 0 && bytes[length - 1]! > 127) value -= 1n << BigInt(8 * length);
    return plain(value);
  }

  /** An integer in decimal, as the oldest protocol writes it. */
  decimal(): number | bigint {
    const text = this.line().replace(/L$/, '');
    if (!/^[+-]?\d+$/.test(text)) throw new PickleError('a number is no number');
    return plain(BigInt(text.replace('+', '')));
  }
}

function plain(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

/** Bytes that are made when they are written: a weight is in memory once, at its place in the file. */
export interface LateBytes {
  length: number;
  read(): Promise<Uint8Array>;
}

type Part = Uint8Array | LateBytes;

const text = new TextEncoder();

/** Wire types of protocol buffers. */
const varintType = 0;
const bytesType = 2;
const floatType = 5;

/**
 * A message in the wire format of protocol buffers.
 *
 * Own, because the schema has eight messages here, and because a library's writer would hold every weight once more: this one
 * knows each length in front, and asks for the bytes of a weight when their place in the file is reached.
 *
 * Source: the encoding that protobuf.dev describes; fields may be repeated by writing them again.
 */
export class Message {
  private readonly parts: Part[] = [];
  private size = 0;

  /** Length in bytes. */
  get length(): number {
    return this.size;
  }

  /** A whole number (int32, int64, enum), also a negative one. */
  integer(field: number, value: number): this {
    return this.push(Uint8Array.from([...varint(field * 8 + varintType), ...varint(value)]));
  }

  /** Whole numbers as one packed field. */
  integers(field: number, values: readonly number[]): this {
    const bytes = Uint8Array.from(values.flatMap((value) => varint(value)));
    return this.bytes(field, bytes);
  }

  /** A float of 32 bits. */
  float(field: number, value: number): this {
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setFloat32(0, value, true);
    return this.push(Uint8Array.from(varint(field * 8 + floatType))).push(bytes);
  }

  /** A string, or bytes. */
  string(field: number, value: string): this {
    return this.bytes(field, text.encode(value));
  }

  /** Bytes, at hand or made later. */
  bytes(field: number, value: Part): this {
    return this.push(Uint8Array.from([...varint(field * 8 + bytesType), ...varint(value.length)])).push(
      value,
    );
  }

  /** A message inside this one. */
  message(field: number, value: Message): this {
    this.push(Uint8Array.from([...varint(field * 8 + bytesType), ...varint(value.length)]));
    for (const part of value.parts) this.push(part);
    return this;
  }

  /** The whole message. Late bytes are read one after the other. */
  async encode(): Promise<Uint8Array> {
    const out = new Uint8Array(this.size);
    let at = 0;
    for (const part of this.parts) {
      out.set(part instanceof Uint8Array ? part : await part.read(), at);
      at += part.length;
    }
    return out;
  }

  private push(part: Part): this {
    this.parts.push(part);
    this.size += part.length;
    return this;
  }
}

/** Seven bits a byte, the lowest first; negative numbers as 64 bits in two's complement. */
function varint(value: number): number[] {
  let rest = BigInt.asUintN(64, BigInt(value));
  const bytes: number[] = [];
  while (rest > 127n) {
    bytes.push(Number(rest & 127n) | 128);
    rest >>= 7n;
  }
  bytes.push(Number(rest));
  return bytes;
}

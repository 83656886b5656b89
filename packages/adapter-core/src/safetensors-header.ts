import { SafetensorsError } from './safetensors-error.ts';
import { parseStrictJson } from './strict-json.ts';
import { bytesOf, type SafetensorsType } from './widen.ts';

/** Where a safetensors file keeps one tensor; positions in bytes from the start of its data. */
export interface SafetensorsEntry {
  readonly dtype: SafetensorsType;
  /** Outermost axis first. */
  readonly shape: readonly number[];
  readonly begin: number;
  /** Behind the last byte. */
  readonly end: number;
}

/** What the header of a safetensors file says. */
export interface SafetensorsHeader {
  /** By name, in the order of the header. */
  entries: Map<string, SafetensorsEntry>;
  metadata: Record<string, string>;
}

/** The format's own limit for the JSON header. */
const maxHeaderBytes = 100_000_000;

const damaged = 'the file is damaged or is no safetensors file: download or save it again';

/**
 * The length of the JSON header of a safetensors file, checked.
 *
 * @param start The first eight bytes of the file, or all of a shorter one.
 * @param fileBytes Size of the file.
 * @param name What the file is called in error messages.
 * @returns Bytes of the header; the data start 8 behind it.
 * @throws {@link SafetensorsError} if the file is too short or the length goes beyond it.
 */
export function safetensorsHeaderLength(start: Uint8Array, fileBytes: number, name: string): number {
  if (start.byteLength < 8) {
    throw new SafetensorsError({
      what: `${name}: shorter than the eight bytes of a header length`,
      received: `${start.byteLength} bytes`,
      fix: damaged,
    });
  }
  const length = new DataView(start.buffer, start.byteOffset, 8).getBigUint64(0, true);
  if (length > BigInt(maxHeaderBytes) || length > BigInt(fileBytes - 8)) {
    throw new SafetensorsError({
      what: `${name}: the header is longer than the file or than the format allows`,
      received: `${length} bytes of header in a file of ${fileBytes} bytes`,
      fix: damaged,
    });
  }
  return Number(length);
}

/**
 * Reads the JSON header of a safetensors file and checks it against the size of the data: the tensors must lie inside,
 * must not overlap, must leave no gap, and must have the size that their shape and type say.
 *
 * @param json The header's bytes.
 * @param dataBytes Bytes of the file behind the header.
 * @param name What the file is called in error messages.
 * @throws {@link SafetensorsError} for anything else.
 */
export function parseSafetensorsHeader(json: Uint8Array, dataBytes: number, name: string): SafetensorsHeader {
  const header = parseJson(json, name);
  const metadata = readMetadata(header, name);
  const entries = new Map<string, SafetensorsEntry>();
  for (const [key, entry] of Object.entries(header)) {
    if (key !== '__metadata__') entries.set(key, checkEntry(key, entry, dataBytes, name));
  }
  checkCoverage(entries, dataBytes, name);
  return { entries, metadata };
}

function parseJson(json: Uint8Array, name: string): Record<string, unknown> {
  const broken = (what: string, received?: string) =>
    new SafetensorsError({ what: `${name}: ${what}`, received, fix: damaged });
  if (json[0] !== 123) throw broken('the header is no JSON object');
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(json);
    return parseStrictJson(text) as Record<string, unknown>;
  } catch (cause) {
    throw broken('the header is not JSON', (cause as Error).message);
  }
}

function readMetadata(header: Record<string, unknown>, name: string): Record<string, string> {
  const raw = Object.hasOwn(header, '__metadata__') ? header.__metadata__ : {};
  const valid =
    typeof raw === 'object' &&
    raw !== null &&
    !Array.isArray(raw) &&
    Object.values(raw).every((v) => typeof v === 'string');
  if (!valid) throw new SafetensorsError({ what: `${name}: __metadata__ is not a map of strings` });
  return { ...(raw as Record<string, string>) };
}

function checkEntry(key: string, entry: unknown, body: number, name: string): SafetensorsEntry {
  const fail = (what: string, expected?: string, received?: string) => {
    throw new SafetensorsError({ what: `${name}: tensor '${shown(key)}': ${what}`, expected, received });
  };
  const { dtype, shape, data_offsets: offsets } = (entry ?? {}) as Record<string, unknown>;
  if (typeof dtype !== 'string' || !Object.hasOwn(bytesOf, dtype)) {
    fail('unknown data type', Object.keys(bytesOf).join(', '), shown(dtype));
  }
  if (!Array.isArray(shape) || !shape.every(natural))
    fail('the shape is no list of sizes', undefined, shown(shape));
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(natural)) {
    fail('data_offsets are no pair of positions', undefined, shown(offsets));
  }
  const [begin, end] = offsets as [number, number];
  if (begin > end || end > body) {
    fail(
      'its data lie outside the file (truncated?)',
      `at most ${body} bytes of data`,
      `positions ${begin} to ${end}`,
    );
  }
  const size = (shape as number[]).reduce((a, b) => a * b, 1) * bytesOf[dtype as SafetensorsType];
  if (size !== end - begin) fail('its data do not fill its shape', `${size} bytes`, `${end - begin} bytes`);
  return { dtype: dtype as SafetensorsType, shape: shape as number[], begin, end };
}

function natural(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

/** A value of a stranger's JSON for a message: short, and without walking into it, for it may be nested without end. */
function shown(value: unknown): string {
  if (typeof value === 'object' && value !== null) {
    if (!Array.isArray(value)) return 'an object';
    const flat = value.length <= 8 && value.every((v) => typeof v === 'number');
    return flat ? `[${value}]` : `a list of ${value.length}`;
  }
  const text = String(value);
  return text.length > 200 ? `${text.slice(0, 200)}…` : text;
}

/** The format wants the data section covered exactly: no overlap, no gap, nothing behind. */
function checkCoverage(entries: Map<string, SafetensorsEntry>, body: number, name: string): void {
  let at = 0;
  for (const [key, { begin, end }] of [...entries].sort(
    ([, a], [, b]) => a.begin - b.begin || a.end - b.end,
  )) {
    if (begin !== at) {
      throw new SafetensorsError({
        what: `${name}: tensor '${shown(key)}' ${begin < at ? 'overlaps another' : 'leaves a gap before it'}`,
        expected: `data from position ${at}`,
        received: `data from position ${begin}`,
      });
    }
    at = end;
  }
  if (at !== body) {
    throw new SafetensorsError({
      what: `${name}: the file does not end with its last tensor`,
      expected: `${at} bytes of data`,
      received: `${body} bytes of data`,
    });
  }
}

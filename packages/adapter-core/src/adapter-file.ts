import { E3vaError, requireNodeModule } from '@e3va/highway-grad';
import * as tf from '@tensorflow/tfjs-core';
import manifest from '../package.json' with { type: 'json' };
import { writeFileAtomic } from './atomic-file.ts';
import type { BaseFingerprint } from './fingerprint.ts';
import { decodeSafetensors, encodeSafetensors, type TensorData } from './safetensors.ts';

/** An adapter file cannot be read, or does not fit the adapted model. */
export class AdapterFileError extends E3vaError {}

/** What an adapter file says about itself. */
export interface AdapterMetadata {
  /** Version of the file's layout. */
  formatVersion: number;
  /** Version of this package that wrote the file. */
  library: string;
  method: { name: string; config: Record<string, unknown> };
  /** Names of the tapped layers by highway layer. */
  taps: Record<string, string[]>;
  /** The base model that the adapter was trained on. */
  base: BaseFingerprint;
}

/** An adapter: its trained tensors by name, and what they are. */
export interface AdapterContent {
  tensors: Record<string, TensorData>;
  metadata: AdapterMetadata;
}

const formatVersion = 1;
const metadataKey = 'e3va_adapter';

/** Fills in what every adapter file says. */
export function adapterMetadata(rest: Omit<AdapterMetadata, 'formatVersion' | 'library'>): AdapterMetadata {
  return { formatVersion, library: manifest.version, ...rest };
}

/** An adapter as a safetensors file with its whole configuration in the file's metadata. */
export function encodeAdapter({ tensors, metadata }: AdapterContent): Uint8Array {
  return encodeSafetensors(tensors, { [metadataKey]: JSON.stringify(metadata) });
}

/**
 * Reads an adapter from the bytes of a safetensors file.
 *
 * @throws SafetensorsError if the file is damaged.
 * @throws {@link AdapterFileError} if it holds no adapter, or one of a newer layout.
 */
export function decodeAdapter(bytes: Uint8Array, name = 'adapter file'): AdapterContent {
  const { tensors, metadata } = decodeSafetensors(bytes, name);
  return { tensors: Object.fromEntries(tensors), metadata: parseMetadata(metadata[metadataKey], name) };
}

/** Writes an adapter to a file (Node), or through a tf.io handler or one of its URLs (`indexeddb://…`). */
export async function writeAdapter(
  destination: string | tf.io.IOHandler,
  content: AdapterContent,
): Promise<void> {
  const path = typeof destination === 'string' ? filePath(destination) : undefined;
  if (path !== undefined) return writeFileAtomic(path, encodeAdapter(content));
  const handler =
    typeof destination === 'string'
      ? oneHandler(tf.io.getSaveHandlers(destination), destination)
      : destination;
  if (!handler.save)
    throw new AdapterFileError({ what: 'this tf.io handler cannot save', fix: 'use one with a save method' });
  const names = Object.keys(content.tensors).sort();
  const { data, specs } = await encodeWeights(content.tensors, names);
  await handler.save({
    modelTopology: { class_name: 'E3vaAdapter' },
    weightSpecs: specs,
    weightData: data,
    userDefinedMetadata: { [metadataKey]: JSON.stringify(content.metadata) },
  });
}

/** Reads what {@link writeAdapter} wrote; `http://` and `https://` addresses of adapter files as well. */
export async function readAdapter(source: string | tf.io.IOHandler): Promise<AdapterContent> {
  if (typeof source === 'string') {
    const path = filePath(source);
    if (path !== undefined) return decodeAdapter(await readBytes(path), path);
    if (/^https?:/.test(source)) return decodeAdapter(await fetchBytes(source), source);
  }
  const handler = typeof source === 'string' ? oneHandler(tf.io.getLoadHandlers(source), source) : source;
  if (!handler.load)
    throw new AdapterFileError({ what: 'this tf.io handler cannot load', fix: 'use one with a load method' });
  const { weightData, weightSpecs, userDefinedMetadata } = await handler.load();
  const metadata = parseMetadata(
    (userDefinedMetadata as Record<string, string> | undefined)?.[metadataKey],
    'tf.io artifacts',
  );
  if (!weightData || !weightSpecs)
    throw new AdapterFileError({ what: 'the tf.io artifacts hold no weights' });
  const decoded = tf.io.decodeWeights(
    tf.io.CompositeArrayBuffer.join(weightData as ArrayBuffer),
    weightSpecs,
  );
  const tensors = Object.entries(decoded).map(([name, t]) => [
    name,
    { shape: t.shape, data: t.dataSync() as Float32Array },
  ]);
  tf.dispose(decoded);
  return { tensors: Object.fromEntries(tensors), metadata };
}

async function encodeWeights(tensors: Record<string, TensorData>, names: string[]) {
  const list = names.map((name) => ({ name, tensor: tf.tensor(tensors[name]!.data, tensors[name]!.shape) }));
  try {
    return await tf.io.encodeWeights(list);
  } finally {
    tf.dispose(list.map(({ tensor }) => tensor));
  }
}

/** The path that a string names: of `file://` addresses and of anything without a scheme. */
function filePath(address: string): string | undefined {
  const path = address.startsWith('file://') ? decodeURI(address.slice('file://'.length)) : address;
  if (/^[a-z][a-z0-9+.-]+:\/\//i.test(path)) return undefined;
  return /\.[a-z0-9]+$/i.test(path) ? path : `${path}.safetensors`;
}

async function readBytes(path: string): Promise<Uint8Array> {
  const { readFile } = requireNodeModule('node:fs/promises');
  try {
    return await readFile(path);
  } catch (cause) {
    throw new AdapterFileError(
      { what: `cannot read adapter file ${path}`, received: (cause as Error).message, fix: 'check the path' },
      { cause },
    );
  }
}

async function fetchBytes(url: string): Promise<Uint8Array> {
  let response: Response;
  try {
    response = await fetch(url);
    if (response.ok) return new Uint8Array(await response.arrayBuffer());
  } catch (cause) {
    const reason = ((cause as Error).cause as Error | undefined)?.message ?? (cause as Error).message;
    throw new AdapterFileError(
      { what: `cannot fetch ${url}`, received: reason, fix: 'check address and network' },
      { cause },
    );
  }
  throw new AdapterFileError({
    what: `cannot fetch ${url}`,
    received: `HTTP ${response.status} ${response.statusText}`,
  });
}

function oneHandler(handlers: tf.io.IOHandler[], address: string): tf.io.IOHandler {
  if (handlers.length === 1) return handlers[0]!;
  throw new AdapterFileError({
    what: `${handlers.length || 'no'} tf.io handlers are registered for '${address}'`,
    fix: 'pass a file path, an http(s) address, or a tf.io handler',
  });
}

function parseMetadata(text: string | undefined, name: string): AdapterMetadata {
  const fail = (what: string, received?: string) =>
    new AdapterFileError({ what: `${name}: ${what}`, received });
  if (text === undefined)
    throw fail('holds no adapter of this library', `no '${metadataKey}' in its metadata`);
  let metadata: AdapterMetadata;
  try {
    metadata = JSON.parse(text);
  } catch (cause) {
    throw fail('its adapter metadata are not JSON', (cause as Error).message);
  }
  const { formatVersion: version, method, base } = metadata ?? {};
  const whole =
    typeof method?.name === 'string' && typeof method.config === 'object' && typeof base?.hash === 'string';
  if (!Number.isInteger(version) || !whole)
    throw fail('its adapter metadata are incomplete', text.slice(0, 200));
  if (version > formatVersion) {
    throw new AdapterFileError({
      what: `${name}: written by a newer version of the library (${metadata.library})`,
      expected: `layout version ${formatVersion} or older`,
      received: `layout version ${version}`,
      fix: 'update @e3va/adapter-core',
    });
  }
  return metadata;
}

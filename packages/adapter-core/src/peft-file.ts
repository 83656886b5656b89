import { AdapterFileError } from './adapter-file.ts';
import { lora } from './methods/lora.ts';
import type { Method } from './methods/method.ts';
import { decodeSafetensors, type SafetensorsTensor, type TensorData } from './safetensors.ts';

/** Where the change of a module of the other library belongs. */
export interface PeftTarget {
  /** Name of the layer of the base model. */
  layer: string;
  /** Which of the three projections side by side the module is, for a layer whose name ends in `qkv`. */
  part?: number;
}

/** What a LoRA file of PEFT holds. */
export interface PeftLora {
  /** The method {@link lora} with the file's options, for `adapt`. */
  method: Method;
  /** The adapter's weights, for `setAdapterTensors`. */
  tensors: Record<string, TensorData>;
  /** What else stands in the file, under its own names and in its own layout: heads that were trained as a whole. */
  rest: Record<string, TensorData>;
}

/** The factors of one module of the file. */
type Factors = Partial<Record<Factor, SafetensorsTensor>>;
type Factor = 'A' | 'B' | 'magnitude';

/**
 * Reads a LoRA adapter that PEFT of Hugging Face saved (`adapter_config.json` and `adapter_model.safetensors`).
 *
 * Linear modules and convolutions; rsLoRA and DoRA as well. Matrices are transposed to [in, out].
 *
 * @param config The text of `adapter_config.json`.
 * @param bytes The bytes of `adapter_model.safetensors`.
 * @param layerOf Maps the path of a module of the other library to a layer of the base: `huggingFaceLayer` of
 * `@e3va/swin` for a Swin.
 * @throws {@link AdapterFileError} if the file is of another method than LoRA or uses options that are unknown here, if
 * modules have no layer (all are listed), or if the modules of a layer do not go together; SafetensorsError if the file
 * is damaged.
 *
 * @example
 * ```ts
 * import { readFile } from 'node:fs/promises';
 * import { adapt, readPeftLora } from '@e3va/adapter-core';
 * import { huggingFaceLayer, loadSwin } from '@e3va/swin';
 *
 * async function open(folder: string) {
 *   const config = await readFile(`${folder}/adapter_config.json`, 'utf8');
 *   const bytes = await readFile(`${folder}/adapter_model.safetensors`);
 *   const { method, tensors } = readPeftLora(config, bytes, huggingFaceLayer);
 *   const adapted = adapt(await loadSwin('nano'), method);
 *   adapted.setAdapterTensors(tensors);
 *   return adapted;
 * }
 * console.log(typeof open);
 * ```
 */
export function readPeftLora(
  config: string,
  bytes: Uint8Array,
  layerOf: (module: string) => PeftTarget | undefined,
): PeftLora {
  const options = parseConfig(config);
  const { modules, rest } = factorsOf(decodeSafetensors(bytes, 'PEFT adapter').tensors);
  const layers = byLayer(modules, layerOf);
  for (const [module, factors] of modules) checkFactors(module, factors, options);
  const tensors = Object.fromEntries([...layers].flatMap(([layer, parts]) => layerTensors(layer, parts)));
  const { rank, alpha, dropout, rslora, dora } = options;
  const fused = partsOf(layers);
  const method = lora({
    ...{ rank, alpha, dropout, rslora, dora },
    targets: [...layers.keys()],
    ...(fused && { fused: { parts: 3, on: fused } }),
  });
  return { method, tensors, rest };
}

interface PeftOptions {
  rank: number;
  alpha: number;
  dropout: number;
  rslora: boolean;
  dora: boolean;
}

/** Options that change what an adapter computes, and that LoRA here does not have. */
const foreign = [
  ...[
    'rank_pattern',
    'alpha_pattern',
    'lora_bias',
    'layer_replication',
    'alora_invocation_tokens',
    'use_qalora',
  ],
  ...['use_bdlora', 'arrow_config', 'target_parameters', 'trainable_token_indices'],
  ...['kasa_config', 'monteclora_config'],
];

/**
 * Starts (`init_lora_weights`) that leave the base as it is. The others (PiSSA, OLoRA, CorDA, LoftQ, LoRA-GA) take a part
 * off the base's kernels, so that their factors are wrong beside the kernels as they were.
 */
const plainStarts = [true, false, 'gaussian', 'eva', 'orthogonal', 'mica'];

function parseConfig(text: string): PeftOptions {
  let json: Record<string, unknown>;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    const received = (cause as Error).message;
    throw new AdapterFileError({ what: "PEFT's adapter_config.json is not JSON", received }, { cause });
  }
  const { peft_type, r, lora_alpha = 8, lora_dropout = 0, use_rslora, use_dora, bias = 'none' } = json ?? {};
  const start = json?.init_lora_weights ?? true;
  if (peft_type !== 'LORA' || typeof r !== 'number') {
    throw new AdapterFileError({
      what: 'this PEFT adapter is no LoRA',
      expected: 'peft_type LORA, and a rank r',
      received: `peft_type ${peft_type}, r ${r}`,
    });
  }
  const used = foreign.filter((key) => !isEmpty(json[key]));
  if (bias !== 'none') used.push(`bias '${bias}'`);
  if (!plainStarts.includes(start as string | boolean)) used.push(`init_lora_weights '${start}'`);
  if (used.length > 0) {
    throw new AdapterFileError({
      what: 'this PEFT adapter uses options that are not known here',
      received: used.join(', '),
      fix: 'merge the adapter into its model in PEFT and convert the model, or train without these options',
    });
  }
  const [rslora, dora] = [use_rslora === true, use_dora === true];
  return { rank: r, alpha: lora_alpha as number, dropout: lora_dropout as number, rslora, dora };
}

const isEmpty = (value: unknown) => !value || (typeof value === 'object' && Object.keys(value).length === 0);

/** The factors by module, and the tensors that are no factors. */
function factorsOf(tensors: Map<string, SafetensorsTensor>) {
  const modules = new Map<string, Factors>();
  const rest: Record<string, TensorData> = {};
  for (const [name, tensor] of tensors) {
    const path = name.replace(/^base_model\.model\./, '');
    const found = /^(.+)\.lora_(A|B|magnitude)(_vector)?(\.default)?(\.weight)?$/.exec(path);
    if (!found) {
      if (/\.lora_/.test(path)) {
        throw new AdapterFileError({ what: `a tensor of the PEFT adapter is of an unknown kind: ${name}` });
      }
      rest[path] = tensor;
      continue;
    }
    const [, module, factor] = found as unknown as [string, string, Factor];
    modules.set(module, { ...modules.get(module), [factor]: tensor });
  }
  return { modules, rest };
}

/** The modules of one layer, by their part; part 0 for a layer of one matrix. */
interface LayerParts {
  fused: boolean;
  parts: Map<number, Factors>;
}

function byLayer(
  modules: Map<string, Factors>,
  layerOf: (module: string) => PeftTarget | undefined,
): Map<string, LayerParts> {
  const layers = new Map<string, LayerParts>();
  const unknown: string[] = [];
  for (const [module, factors] of modules) {
    const target = layerOf(module);
    if (!target) {
      unknown.push(module);
      continue;
    }
    const { layer, part } = target;
    const known = layers.get(layer) ?? { fused: part !== undefined, parts: new Map() };
    if (known.fused !== (part !== undefined) || known.parts.has(part ?? 0)) {
      throw new AdapterFileError({
        what: `two modules of the PEFT adapter stand for one part of layer '${layer}'`,
        received: module,
      });
    }
    known.parts.set(part ?? 0, factors);
    layers.set(layer, known);
  }
  if (unknown.length === 0 && layers.size > 0) return layers;
  throw new AdapterFileError({
    what: 'modules of the PEFT adapter have no layer in the base model',
    received: unknown.join(', ') || '(an adapter without modules)',
    fix: 'give a layerOf() that maps them, or train without these target_modules',
  });
}

/** Which parts the layers of several projections have; all alike. */
function partsOf(layers: Map<string, LayerParts>): number[] | undefined {
  const lists = [...layers].flatMap(([layer, { fused, parts }]) =>
    fused ? [{ layer, on: sorted(parts) }] : [],
  );
  const [first] = lists;
  if (!first) return undefined;
  const other = lists.find(({ layer, on }) => on.join() !== first.on.join() || !layer.endsWith('qkv'));
  if (!other) return first.on;
  throw new AdapterFileError({
    what: 'the PEFT adapter does not stand on the same projections in every layer',
    expected: `parts ${first.on.join(', ')} in layers whose names end in qkv, as in '${first.layer}'`,
    received: `parts ${other.on.join(', ')} in '${other.layer}'`,
  });
}

const sorted = (parts: Map<number, unknown>) => [...parts.keys()].sort((a, b) => a - b);

function checkFactors(module: string, { A, B, magnitude }: Factors, { rank, dora }: PeftOptions): void {
  const whole = A && B && (magnitude !== undefined) === dora;
  const right = whole && A.shape[0] === rank && B.shape[1] === rank && B.shape.slice(2).every((n) => n === 1);
  if (right && [2, 4].includes(A.shape.length) && A.shape.length === B.shape.length) return;
  throw new AdapterFileError({
    what: `the PEFT adapter's factors of module '${module}' are incomplete or misshapen`,
    expected: `A [${rank}, in], B [out, ${rank}]${dora ? ' and a magnitude [out]' : ''}`,
    received: `A [${A?.shape}], B [${B?.shape}]${magnitude ? `, magnitude [${magnitude.shape}]` : ''}`,
  });
}

/** The weights of one of our layers, by name; several parts are stacked. */
function layerTensors(layer: string, { fused, parts }: LayerParts): [string, TensorData][] {
  const list = sorted(parts).map((part) => parts.get(part)!);
  const pile = (tensors: TensorData[]) => (fused ? stacked(tensors) : tensors[0]!);
  const weights: [string, TensorData][] = [
    [`${layer}/lora_A`, pile(list.map(({ A }) => lastToFront(A!)))],
    [`${layer}/lora_B`, pile(list.map(({ B }) => lastToFront({ ...B!, shape: B!.shape.slice(0, 2) })))],
  ];
  if (list[0]!.magnitude) {
    const flat = list.map(({ magnitude }) => ({ ...magnitude!, shape: [magnitude!.data.length] }));
    weights.push([`${layer}/lora_magnitude`, pile(flat)]);
  }
  return weights;
}

/** [out, in, kh, kw] to [kh, kw, in, out]; [out, in] to [in, out]. */
function lastToFront({ data, shape }: TensorData): TensorData {
  const [out = 1, from = 1, ...window] = shape;
  const size = window.reduce((n, side) => n * side, 1);
  const turned = new Float32Array(data.length);
  for (let o = 0; o < out; o++) {
    for (let i = 0; i < from; i++) {
      for (let at = 0; at < size; at++) turned[(at * from + i) * out + o] = data[(o * from + i) * size + at]!;
    }
  }
  return { data: turned, shape: [...window, from, out] };
}

function stacked(tensors: TensorData[]): TensorData {
  const size = tensors[0]!.data.length;
  const other = tensors.find(({ shape }) => shape.join() !== tensors[0]!.shape.join());
  if (other) {
    throw new AdapterFileError({
      what: 'the projections of one layer have factors of several shapes in the PEFT adapter',
      received: `[${tensors[0]!.shape}] and [${other.shape}]`,
    });
  }
  const data = new Float32Array(size * tensors.length);
  tensors.forEach((tensor, i) => {
    data.set(tensor.data, i * size);
  });
  return { data, shape: [tensors.length, ...tensors[0]!.shape] };
}

import { z } from 'zod';

const count = z.int().positive();
const positive = z.number().positive();
const fraction = z.number().min(0).max(1);

const maskValue = z.int().min(0).max(65535);
const data = z.strictObject({
  dir: z.string().min(1).optional(),
  classes: z.union([z.array(z.string()).min(1), z.record(z.string(), z.string())]).optional(),
  ignoreIndex: z.union([maskValue, z.array(maskValue)]).optional(),
  reduceZeroLabel: z.boolean().optional(),
  colorMap: z.record(z.string(), z.int().min(0)).optional(),
  maskSuffix: z.string().optional(),
  valFraction: z.number().gt(0).lt(1).optional(),
  maxPixels: count.optional(),
  cacheMegabytes: z.number().min(0).default(512),
});

const backbone = z.strictObject({ name: z.string().min(1).default('nano') });

const e3vaMethod = z.strictObject({
  name: z.literal('e3va'),
  taps: z.string().optional(),
  transition: z.enum(['inherit', 'pool-project']).default('inherit'),
  form: z.enum(['pq', 'pkq']).default('pq'),
  rank: count.default(16),
  alpha: count.default(2),
  beta: count.default(8),
  outNorms: z.enum(['trainable', 'frozen']).default('trainable'),
  init: z.enum(['zero', 'kaiming']).default('zero'),
});
const method = z.discriminatedUnion('name', [
  e3vaMethod,
  z.strictObject({ name: z.literal('frozen') }),
  z.strictObject({ name: z.literal('full') }),
]);

const aux = z.strictObject({
  level: z.int().min(0).default(2),
  channels: count.default(256),
  convs: count.default(1),
  weight: z.number().min(0).default(0.4),
});
const head = z.strictObject({
  name: z.literal('upernet').default('upernet'),
  channels: count.default(64),
  poolScales: z.array(count).min(1).default([1, 2, 3, 6]),
  dropout: z.number().min(0).lt(1).default(0.1),
  aux: aux.optional(),
});

const optimizer = z.strictObject({
  lr: positive.default(1e-3),
  weightDecay: z.number().min(0).default(0.01),
  betas: z.tuple([fraction, fraction]).default([0.9, 0.999]),
  eps: positive.default(1e-8),
  bodyLr: positive.optional(),
});
const schedule = z.strictObject({
  warmupSteps: z.int().min(0).default(20),
  policy: z.enum(['poly', 'step', 'constant']).default('poly'),
  power: positive.default(0.9),
  milestones: z.array(count).default([]),
  gamma: positive.default(0.1),
});
const train = z.strictObject({
  steps: count.default(800),
  batch: count.default(4),
  crop: z.tuple([count, count]).default([256, 320]),
  scale: z.tuple([positive, positive]).default([0.75, 1.5]),
  flip: fraction.default(0.5),
  photometric: z.boolean().default(false),
  categoryCap: fraction.default(1),
  optimizer: optimizer.prefault({}),
  schedule: schedule.prefault({}),
  clipNorm: positive.optional(),
  accumulate: count.default(1),
  ema: z.number().gt(0).lt(1).optional(),
  earlyStopping: z.strictObject({ patience: count }).optional(),
  evalEvery: count.default(200),
  logEvery: count.default(10),
  seed: z.int().min(0).default(0),
});

const evaluation = z.strictObject({
  mode: z.enum(['whole', 'slide']).default('whole'),
  crop: z.tuple([count, count]).default([512, 512]),
  stride: z.tuple([count, count]).default([341, 341]),
});

const run = z.strictObject({ dir: z.string().min(1).optional() });

/**
 * Every key of a recipe, with its type, limits and default, as a zod schema. Unknown keys are errors. {@link parseRecipe} says
 * more about an error than the schema does; `z.toJSONSchema(recipeSchema)` is for editors.
 */
export const recipeSchema = z.strictObject({
  task: z.literal('segmentation').default('segmentation'),
  data: data.prefault({}),
  backbone: backbone.prefault({}),
  method: method.prefault({ name: 'e3va' }),
  head: head.prefault({}),
  train: train.prefault({}),
  eval: evaluation.prefault({}),
  backend: z.enum(['auto', 'tensorflow', 'wasm', 'cpu']).default('auto'),
  run: run.prefault({}),
});

/** A whole recipe, defaults filled in: what is trained on what, how, and where the run goes. */
export type Recipe = z.output<typeof recipeSchema>;

/** A recipe as somebody writes it: every key may be left out. */
export type RecipeInput = z.input<typeof recipeSchema>;

/** The path of every key of the schema, dotted: `train`, `train.optimizer`, `train.optimizer.lr`. */
export function recipeKeys(): string[] {
  return [...new Set(keysOf(recipeSchema, ''))];
}

function keysOf(schema: unknown, prefix: string): string[] {
  const def = (schema as { def: SchemaDefinition }).def;
  if (def.innerType) return keysOf(def.innerType, prefix);
  if (def.options) return def.options.flatMap((option) => keysOf(option, prefix));
  if (!def.shape) return [];
  return Object.entries(def.shape).flatMap(([key, value]) => {
    const path = prefix ? `${prefix}.${key}` : key;
    return [path, ...keysOf(value, path)];
  });
}

/** The part of a zod schema's definition that the walk over the keys reads. */
interface SchemaDefinition {
  innerType?: unknown;
  options?: unknown[];
  shape?: Record<string, unknown>;
}

import { z } from 'zod';
import { methodSchema } from './method-schema.ts';

const count = z.int().positive();
const positive = z.number().positive();
const fraction = z.number().min(0).max(1);

// What every task has

const folder = {
  dir: z.string().min(1).optional(),
  valFraction: z.number().gt(0).lt(1).optional(),
  maxPixels: count.optional(),
  cacheMegabytes: z.number().min(0).default(512),
};

const backbone = z.strictObject({ name: z.string().min(1).default('nano') });
/** A trained model whose head the head starts from: its structure is the file's then. */
const from = z.string().min(1).optional();
/** How images are resized before the network. */
const inputSides = { shortSide: count.optional(), maxSide: count.optional() };

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
const training = {
  steps: count.default(800),
  batch: count.default(4),
  flip: fraction.default(0.5),
  photometric: z.boolean().default(false),
  optimizer: optimizer.prefault({}),
  schedule: schedule.prefault({}),
  clipNorm: positive.optional(),
  accumulate: count.default(1),
  ema: z.number().gt(0).lt(1).optional(),
  earlyStopping: z.strictObject({ patience: count }).optional(),
  evalEvery: count.default(200),
  logEvery: count.default(10),
  seed: z.int().min(0).default(0),
};

const shared = {
  backbone: backbone.prefault({}),
  method: methodSchema.prefault({ name: 'e3va' }),
  backend: z.enum(['auto', 'tensorflow', 'wasm', 'cpu']).default('auto'),
  run: z.strictObject({ dir: z.string().min(1).optional() }).prefault({}),
};

// Segmentation

const maskValue = z.int().min(0).max(65535);
const masks = z.strictObject({
  ...folder,
  classes: z.union([z.array(z.string()).min(1), z.record(z.string(), z.string())]).optional(),
  ignoreIndex: z.union([maskValue, z.array(maskValue)]).optional(),
  reduceZeroLabel: z.boolean().optional(),
  colorMap: z.record(z.string(), z.int().min(0)).optional(),
  maskSuffix: z.string().optional(),
});

const aux = z.strictObject({
  level: z.int().min(0).default(2),
  channels: count.default(256),
  convs: count.default(1),
  weight: z.number().min(0).default(0.4),
});
const segmentationHead = z.strictObject({
  name: z.literal('upernet').default('upernet'),
  from,
  channels: count.default(64),
  poolScales: z.array(count).min(1).default([1, 2, 3, 6]),
  dropout: z.number().min(0).lt(1).default(0.1),
  aux: aux.optional(),
});
const segmentationTrain = z.strictObject({
  ...training,
  crop: z.tuple([count, count]).default([256, 320]),
  scale: z.tuple([positive, positive]).default([0.75, 1.5]),
  categoryCap: fraction.default(1),
});
const segmentationEval = z.strictObject({
  ...inputSides,
  mode: z.enum(['whole', 'slide']).default('whole'),
  crop: z.tuple([count, count]).default([512, 512]),
  stride: z.tuple([count, count]).default([341, 341]),
});
const segmentation = z.strictObject({
  task: z.literal('segmentation'),
  data: masks.prefault({}),
  head: segmentationHead.prefault({}),
  train: segmentationTrain.prefault({}),
  eval: segmentationEval.prefault({}),
  ...shared,
});

// Detection

const objects = z.strictObject({
  ...folder,
  format: z.enum(['coco', 'voc', 'yolo', 'labelme']).optional(),
  missingImages: z.enum(['error', 'drop']).optional(),
  classes: z.array(z.string()).min(1).optional(),
});
const detectionHead = z.strictObject({
  name: z
    .enum(['retinanet', 'faster-rcnn', 'mask-rcnn', 'cascade-rcnn', 'cascade-mask-rcnn'])
    .default('retinanet'),
  from,
  preset: z.enum(['paper', 'light']).default('light'),
  channels: count.optional(),
  anchorScale: positive.optional(),
});
const detectionTrain = z.strictObject({
  ...training,
  shortSide: z.union([count, z.array(count).min(1)]).default(320),
  maxSide: count.default(1333),
  crop: z.enum(['none', 'min-iou']).default('none'),
  mosaic: fraction.default(0),
  sampling: z.enum(['shuffle', 'class-balanced']).default('shuffle'),
  groupByAspect: z.boolean().default(true),
});
const detectionEval = z.strictObject({
  ...inputSides,
  metric: z.enum(['coco', 'voc']).default('coco'),
  scoreThreshold: fraction.optional(),
  maxDetections: count.default(100),
});
const detection = z.strictObject({
  task: z.literal('detection'),
  data: objects.prefault({}),
  head: detectionHead.prefault({}),
  train: detectionTrain.prefault({}),
  eval: detectionEval.prefault({}),
  ...shared,
});

/**
 * Every key of a recipe, with its type, limits and default, as a zod schema; `task` decides which keys there are. Unknown keys
 * are errors. {@link parseRecipe} says more about an error than the schema does; `z.toJSONSchema(recipeSchema)` is for editors.
 */
export const recipeSchema = z.discriminatedUnion('task', [segmentation, detection]);

/** A whole recipe, defaults filled in: what is trained on what, how, and where the run goes. */
export type Recipe = z.output<typeof recipeSchema>;

/** A recipe of semantic segmentation. */
export type SegmentationRecipe = Extract<Recipe, { task: 'segmentation' }>;

/** A recipe of object detection or instance segmentation. */
export type DetectionRecipe = Extract<Recipe, { task: 'detection' }>;

/** A recipe of segmentation as somebody writes it: every key may be left out, the task too. */
export type SegmentationInput = Omit<
  Extract<z.input<typeof recipeSchema>, { task: 'segmentation' }>,
  'task'
> & { task?: 'segmentation' };

/** A recipe of detection as somebody writes it: every key but the task may be left out. */
export type DetectionInput = Extract<z.input<typeof recipeSchema>, { task: 'detection' }>;

/** The path of every key of the schema, dotted: `train`, `train.optimizer`, `train.optimizer.lr`; of one task or of all. */
export function recipeKeys(task?: string): string[] {
  const schemas = { segmentation, detection };
  const chosen =
    task !== undefined && Object.hasOwn(schemas, task) ? schemas[task as Recipe['task']] : recipeSchema;
  return [...new Set(keysOf(chosen, ''))];
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

import { z } from 'zod';

const count = z.int().positive();
const positive = z.number().positive();
const share = z.number().min(0).lt(1);
/** A pattern of layer names, as the text of a regular expression. */
const pattern = z.string().min(1).optional();

const e3va = z.strictObject({
  name: z.literal('e3va'),
  taps: pattern,
  transition: z.enum(['auto', 'inherit', 'pool-project']).default('auto'),
  form: z.enum(['pq', 'pkq']).default('pq'),
  rank: count.default(16),
  alpha: count.default(2),
  beta: count.default(8),
  outNorms: z.enum(['trainable', 'frozen']).default('trainable'),
  init: z.enum(['zero', 'kaiming', 'svd']).default('zero'),
  orthogonal: z.number().min(0).default(0),
  mixing: z.enum(['none', 'depthwise3x3']).default('none'),
  savedTaps: z.enum(['fp32', 'int16', 'int8', 'recompute']).default('fp32'),
  feedback: z.int().min(0).default(0),
});
const lora = z.strictObject({
  name: z.literal('lora'),
  targets: pattern,
  rank: count.default(8),
  alpha: positive.default(8),
  dropout: share.default(0),
  rslora: z.boolean().default(false),
  dora: z.boolean().default(false),
});
const bottleneck = { width: count.default(64), dropout: share.optional() };

/** The method of a recipe, by its name. */
export const methodSchema = z.discriminatedUnion('name', [
  e3va,
  lora,
  z.strictObject({ name: z.literal('adapter'), after: pattern, ...bottleneck }),
  z.strictObject({
    name: z.literal('adaptFormer'),
    branches: pattern,
    scale: positive.default(0.1),
    ...bottleneck,
  }),
  z.strictObject({
    name: z.literal('loRand'),
    after: pattern,
    alpha: count.default(2),
    beta: count.default(8),
  }),
  z.strictObject({ name: z.literal('mona'), after: pattern, ...bottleneck }),
  z.strictObject({ name: z.literal('bitFit') }),
  z.strictObject({ name: z.literal('norm') }),
  z.strictObject({ name: z.literal('partial'), layers: pattern }),
  z.strictObject({ name: z.literal('frozen') }),
  z.strictObject({ name: z.literal('full') }),
]);

/** The names of the methods. */
export const methodNames = methodSchema.options.map((option) => option.shape.name.value);

/** The keys of a method in a recipe, by its name; those of e3va without one. */
export function methodKeys(name: unknown = 'e3va'): string[] {
  const option = methodSchema.options.find(({ shape }) => shape.name.value === name);
  return Object.keys(option?.shape ?? { name });
}

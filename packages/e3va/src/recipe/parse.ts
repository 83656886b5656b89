import { type Document, isMap, isNode, isScalar, LineCounter, parseDocument } from 'yaml';
import type { z } from 'zod';
import { RecipeError } from '../errors.ts';
import { applyFlags, type RecipeTree } from './flags.ts';
import { methodKeys, methodNames } from './method-schema.ts';
import { nearest, nearestKey } from './nearest.ts';
import {
  type DetectionInput,
  type DetectionRecipe,
  type Recipe,
  recipeKeys,
  recipeSchema,
  type SegmentationInput,
  type SegmentationRecipe,
} from './schema.ts';

type Path = readonly PropertyKey[];

interface Source {
  file: string;
  document: Document;
  lines: LineCounter;
}

/** What {@link parseRecipe} may be told besides the recipe. */
export interface ParseRecipeOptions {
  /** Flags that override keys: text by dotted path or short name, as on the command line. */
  flags?: Readonly<Record<string, string>>;
  /** Name of the file, for messages. */
  file?: string;
}

/**
 * Validates a recipe and fills in the defaults. Without `task` it is one of segmentation.
 *
 * @param recipe YAML text, or an object.
 * @throws {@link RecipeError} for YAML that cannot be read, an unknown key or a wrong value: the message names the key, what it
 * takes, what it got, the nearest valid key, and the line in the file.
 *
 * @example
 * ```ts
 * import { parseRecipe } from 'e3va';
 *
 * const recipe = parseRecipe('train: { steps: 100 }', { flags: { lr: '5e-4' } });
 * console.log(recipe.train.steps, recipe.train.optimizer.lr, recipe.method.name); // 100 0.0005 e3va
 * ```
 */
export function parseRecipe(recipe: DetectionInput, options?: ParseRecipeOptions): DetectionRecipe;
export function parseRecipe(recipe: SegmentationInput, options?: ParseRecipeOptions): SegmentationRecipe;
export function parseRecipe(
  recipe: string | SegmentationInput | DetectionInput,
  options?: ParseRecipeOptions,
): Recipe;
export function parseRecipe(
  recipe: string | SegmentationInput | DetectionInput,
  options: ParseRecipeOptions = {},
): Recipe {
  const { tree, source } = typeof recipe === 'string' ? fromYaml(recipe, options.file) : { tree: recipe };
  const named = applyFlags(withMethodName(tree as RecipeTree), options.flags ?? {});
  const input = { task: 'segmentation', ...named };
  const result = recipeSchema.safeParse(input);
  if (result.success) return result.data;
  throw errorOf(result.error.issues[0]!, input, source, options);
}

function fromYaml(text: string, file = 'recipe'): { tree: RecipeTree; source: Source } {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines });
  const error = document.errors[0];
  if (error) {
    throw new RecipeError({ what: `${file} is not valid YAML`, received: error.message.split('\n')[0] });
  }
  const tree = document.toJS() ?? {};
  if (typeof tree !== 'object' || Array.isArray(tree)) {
    throw new RecipeError({
      what: `${file} is no recipe`,
      expected: 'keys and values',
      received: show(tree),
    });
  }
  return { tree, source: { file, document, lines } };
}

/** A method without a name is E³VA. */
function withMethodName(tree: RecipeTree): RecipeTree {
  const method = tree.method;
  if (typeof method !== 'object' || method === null || 'name' in method) return tree;
  return { ...tree, method: { name: 'e3va', ...method } };
}

function errorOf(
  issue: z.core.$ZodIssue,
  input: RecipeTree,
  source: Source | undefined,
  options: ParseRecipeOptions,
): RecipeError {
  const unknown = issue.code === 'unrecognized_keys' ? issue.keys[0] : undefined;
  const path = unknown === undefined ? issue.path : [...issue.path, unknown];
  const dotted = path.map(String).join('.');
  const line = source && lineOf(path, source);
  const where = line ? ` (${source.file}, line ${line})` : options.file ? ` (${options.file})` : '';
  const received = at(input, path);
  if (unknown !== undefined) {
    const suggestion = nearestKey(dotted, keysAt(issue.path, input));
    return new RecipeError({
      what: `unknown recipe key ${dotted}${where}`,
      expected: `${issue.path.length ? `one of the keys of ${issue.path.map(String).join('.')}` : 'a top-level key'}: ${siblings(issue.path, input)}`,
      received: `${dotted}: ${show(received)}`,
      fix: suggestion ? `did you mean ${suggestion}?` : 'remove the key',
    });
  }
  return new RecipeError({
    what: `wrong value for recipe key ${dotted}${where}`,
    expected: expectation(issue),
    received: show(received),
    ...hint(issue, received),
  });
}

/** The keys that a misspelt one at a path may have meant: those of its own method, or of the whole recipe. */
function keysAt(path: Path, input: RecipeTree): string[] {
  if (path[0] !== 'method') return recipeKeys(input.task as string);
  return methodKeys(at(input, ['method', 'name'])).map((key) => `method.${key}`);
}

function siblings(path: Path, input: RecipeTree): string {
  if (path[0] === 'method') return methodKeys(at(input, ['method', 'name'])).join(', ');
  const prefix = path.length ? `${path.map(String).join('.')}.` : '';
  const names = recipeKeys(input.task as string)
    .filter((key) => key.startsWith(prefix) && !key.slice(prefix.length).includes('.'))
    .map((key) => key.slice(prefix.length));
  return names.join(', ');
}

function expectation(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case 'invalid_type':
      return (
        { int: 'a whole number', tuple: 'a list', record: 'keys and values' }[issue.expected as string] ??
        `a value of type ${issue.expected}`
      );
    case 'invalid_value':
      return issue.values.map(String).join(' | ');
    case 'invalid_union':
      return unions[issue.path.map(String).join('.')] ?? issue.message;
    case 'too_small':
      return limit(issue.origin, issue.inclusive ? 'at least' : 'more than', issue.minimum);
    case 'too_big':
      return limit(issue.origin, issue.inclusive ? 'at most' : 'less than', issue.maximum);
    default:
      return issue.message;
  }
}

/** What the keys take that take one of several kinds of value. */
const unions: Readonly<Record<string, string>> = {
  task: 'segmentation | detection',
  'method.name': methodNames.join(' | '),
  method: `${methodNames.join(' | ')}, as method.name`,
  'data.classes': 'a list of names, or a name for each mask value',
  'data.ignoreIndex': 'a mask value from 0 to 65535, or a list of them',
};

function limit(origin: string, relation: string, value: number | bigint): string {
  const unit =
    origin === 'string' ? ' characters' : origin === 'array' || origin === 'tuple' ? ' entries' : '';
  return `${relation} ${value}${unit}`;
}

function hint(issue: z.core.$ZodIssue, received: unknown): { fix?: string } {
  if (typeof received !== 'string') return {};
  const values = issue.code === 'invalid_value' ? issue.values.map(String) : [];
  if (issue.path[0] === 'method') values.push(...methodNames);
  const near = nearest(received, values);
  return near ? { fix: `did you mean ${near}?` } : {};
}

function at(tree: unknown, path: Path): unknown {
  let node = tree;
  for (const part of path) {
    if (typeof node !== 'object' || node === null || !Object.hasOwn(node, part)) return undefined;
    node = (node as Record<PropertyKey, unknown>)[part];
  }
  return node;
}

function show(value: unknown): string {
  const text = value === undefined ? 'nothing' : JSON.stringify(value);
  return text.length > 100 ? `${text.slice(0, 97)}...` : text;
}

/** Line (from 1) of a key, or of the nearest part of its path that the file has. */
function lineOf(path: Path, { document, lines }: Source): number | undefined {
  for (let length = path.length; length > 0; length--) {
    const parent = length === 1 ? document.contents : document.getIn(path.slice(0, length - 1), true);
    const name = path[length - 1];
    if (isMap(parent)) {
      const pair = parent.items.find(({ key }) => isScalar(key) && String(key.value) === String(name));
      if (pair && isNode(pair.key) && pair.key.range) return lines.linePos(pair.key.range[0]).line;
    }
    const node = document.getIn(path.slice(0, length), true);
    if (isNode(node) && node.range) return lines.linePos(node.range[0]).line;
  }
  return undefined;
}

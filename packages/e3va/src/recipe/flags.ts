import { parse } from 'yaml';
import { RecipeError } from '../errors.ts';
import { nearestKey } from './nearest.ts';
import { recipeKeys } from './schema.ts';

/** A recipe, or a part of one, before validation. */
export type RecipeTree = Record<string, unknown>;

/** Short flags of the command line, and the recipe key that each sets; `model` sets two. */
export const shortFlags: Readonly<Record<string, string | readonly string[]>> = {
  task: 'task',
  data: 'data.dir',
  model: ['backbone.name', 'head.from'],
  backbone: 'backbone.name',
  method: 'method.name',
  rank: 'method.rank',
  steps: 'train.steps',
  batch: 'train.batch',
  lr: 'train.optimizer.lr',
  seed: 'train.seed',
  backend: 'backend',
  out: 'run.dir',
};

/**
 * Sets recipe keys from flags.
 *
 * @param tree The recipe that the flags override; it is not changed.
 * @param flags Text by dotted key path, or by a {@link shortFlags} name. A path may leave out middle parts where the rest
 * names one key only: `train.lr` is `train.optimizer.lr`. Values are read as YAML: `1e-4`, `[256, 320]`, `true`; `256,320` is a list.
 * @throws {@link RecipeError} for a flag that names no key.
 */
export function applyFlags(tree: RecipeTree, flags: Readonly<Record<string, string>>): RecipeTree {
  const out = structuredClone(tree);
  const entries = Object.entries(flags).flatMap(([flag, text]) =>
    keysOf(flag).map((path) => ({ path, text })),
  );
  // another method brings other options: its name goes first and clears them
  entries.sort((a, b) => Number(b.path === 'method.name') - Number(a.path === 'method.name'));
  for (const { path, text } of entries) setKey(out, path, parseValue(text));
  return out;
}

function keysOf(flag: string): readonly string[] {
  const short = shortFlags[flag];
  return short ? [short].flat() : [keyOf(flag)];
}

function keyOf(flag: string): string {
  const keys = recipeKeys();
  if (keys.includes(flag) || flag.startsWith('data.colorMap.')) return flag;
  const parts = flag.split('.');
  const fits = keys.filter((key) => isSubsequence(parts, key.split('.')));
  if (parts.length > 1 && fits.length === 1) return fits[0]!;
  const suggestion = nearestKey(flag, keys);
  throw new RecipeError({
    what: `unknown flag --${flag}`,
    fix: suggestion ? `did you mean --${suggestion}?` : 'e3va train --help lists the flags',
  });
}

function isSubsequence(parts: string[], of: string[]): boolean {
  let at = 0;
  for (const word of of) if (word === parts[at]) at++;
  return at === parts.length && of[0] === parts[0] && of.at(-1) === parts.at(-1);
}

function parseValue(text: string): unknown {
  if (/^[\d.eE+-]+(,[\d.eE+-]+)+$/.test(text)) return text.split(',').map(Number);
  return parse(text) ?? text;
}

function setKey(tree: RecipeTree, path: string, value: unknown): void {
  const parts = path.split('.');
  const name = parts.pop()!;
  let node = tree;
  for (const part of parts) {
    const next = node[part];
    if (typeof next !== 'object' || next === null || Array.isArray(next)) node[part] = {};
    node = node[part] as RecipeTree;
  }
  if (path === 'method.name' && node.name !== undefined && node.name !== value) {
    for (const key of Object.keys(node)) delete node[key];
  }
  node[name] = typeof value === 'number' && isTextKey(path) ? String(value) : value;
}

function isTextKey(path: string): boolean {
  return /^(data\.dir|run\.dir|backbone\.name|head\.from)$/.test(path);
}

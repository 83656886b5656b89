import { existsSync, readdirSync, statSync } from 'node:fs';
import { basename, extname, join } from 'node:path';
import { InputError } from './errors.ts';

const imageExtensions = ['.jpg', '.jpeg', '.png', '.webp', '.gif', '.tif', '.tiff', '.avif'];

/**
 * The image files that paths, folders and patterns name, sorted and once each. A folder gives the images directly in it; in a
 * pattern `*` and `?` stand for parts of a name and `**` for folders of any depth.
 *
 * @throws {@link InputError} if one of them names no image.
 */
export function findImages(inputs: readonly string[]): string[] {
  const found = inputs.flatMap((input) => {
    const files = imagesOf(input);
    if (files.length > 0) return files;
    const isPattern = /[*?]/.test(input);
    throw new InputError({
      what: `${input} ${isPattern ? 'matches no image' : existsSync(input) ? 'holds no image' : 'does not exist'}`,
      expected: `an image, a folder of images, or a pattern such as 'photos/*.jpg' (${imageExtensions.join(' ')})`,
      fix: 'check the path; it is relative to the current folder',
    });
  });
  return [...new Set(found)].sort();
}

function imagesOf(input: string): string[] {
  if (existsSync(input)) {
    if (!statSync(input).isDirectory()) return [input];
    return readdirSync(input)
      .filter(isImage)
      .map((name) => join(input, name));
  }
  return /[*?]/.test(input) ? expand(input) : [];
}

function isImage(name: string): boolean {
  return imageExtensions.includes(extname(name).toLowerCase());
}

function expand(pattern: string): string[] {
  const parts = pattern.split(/[\\/]/);
  const firstWild = parts.findIndex((part) => /[*?]/.test(part));
  const root = parts.slice(0, firstWild).join('/') || (pattern.startsWith('/') ? '/' : '.');
  if (!existsSync(root)) return [];
  return walk(root, parts.slice(firstWild)).filter(isImage);
}

function walk(dir: string, parts: string[]): string[] {
  const [part, ...rest] = parts;
  if (part === undefined) return [];
  const entries = readdirSync(dir, { withFileTypes: true });
  const folders = entries.filter((entry) => entry.isDirectory());
  if (part === '**') return [...walk(dir, rest), ...folders.flatMap((f) => walk(join(dir, f.name), parts))];
  const fits = wildcard(part);
  if (rest.length === 0)
    return entries.filter((e) => !e.isDirectory() && fits.test(e.name)).map((e) => join(dir, e.name));
  return folders.filter((f) => fits.test(f.name)).flatMap((f) => walk(join(dir, f.name), rest));
}

function wildcard(part: string): RegExp {
  const escaped = part.replace(/[.+^${}()|[\]\\]/g, '\\$&');
  return new RegExp(`^${escaped.replaceAll('*', '.*').replaceAll('?', '.')}$`);
}

/** A name for the results of each file: its base name, with a number behind it where two are the same. */
export function outputNames(files: readonly string[]): string[] {
  const taken = new Set<string>();
  return files.map((file) => {
    const stem = basename(file, extname(file));
    let name = stem;
    for (let n = 2; taken.has(name); n++) name = `${stem}-${n}`;
    taken.add(name);
    return name;
  });
}

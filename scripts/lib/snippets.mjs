// The TypeScript examples of the documentation: fenced ts blocks of the Markdown files and of the doc comments.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join, relative, sep } from 'node:path';
import { packages, root } from './workspace.mjs';

/**
 * All examples: `{ file, line, code, runs, slug }`; `line` is that of the first line of code, `slug` names it in file names.
 * A block that opens with ```ts no-run is type-checked and not run.
 */
export function snippets() {
  return [...markdownFiles(), ...sourceFiles()].flatMap((path) => {
    const file = relative(root, path).split(sep).join('/');
    const found = fences(readFileSync(path, 'utf8'), path.endsWith('.ts'));
    return found.map((f) => ({
      ...f,
      file,
      slug: `${file.replace(/\.(md|ts)$/, '').replaceAll(/[^\w]+/g, '-')}-${f.line}`,
    }));
  });
}

function markdownFiles() {
  const docs = join(root, 'docs');
  const guides = existsSync(docs)
    ? readdirSync(docs)
        .filter((f) => f.endsWith('.md'))
        .map((f) => join(docs, f))
    : [];
  return [join(root, 'README.md'), ...guides, ...packages().map((p) => join(p.dir, 'README.md'))].filter(
    existsSync,
  );
}

function sourceFiles() {
  return packages().flatMap((p) =>
    readdirSync(join(p.dir, 'src'), { recursive: true })
      .filter((f) => f.endsWith('.ts') && !basename(f).includes('.test.'))
      .map((f) => join(p.dir, 'src', f)),
  );
}

/** The ts blocks of a text. In source code only the lines of block comments count, less their leading star. */
function fences(text, inComments) {
  const found = [];
  let open;
  for (const [index, raw] of text.split(/\r?\n/).entries()) {
    const comment = /^\s*\* ?(.*)$/.exec(raw);
    if (inComments && !comment) {
      open = undefined;
      continue;
    }
    const line = inComments ? comment[1] : raw;
    if (open && /^\s*```\s*$/.test(line)) {
      if (open.isTs) found.push({ line: open.line, code: `${open.lines.join('\n')}\n`, runs: open.runs });
      open = undefined;
    } else if (open) {
      open.lines.push(line);
    } else if (/^\s*```/.test(line)) {
      const [language, ...flags] = line.trim().slice(3).split(/\s+/);
      open = { isTs: language === 'ts', runs: !flags.includes('no-run'), line: index + 2, lines: [] };
    }
  }
  return found;
}

// Type-checks every example of the documentation against the sources, then runs each as a user would: in a Node of its
// own, on the built packages, in a folder with a few photos (see `example-data.mjs`).
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeExampleData } from './example-data.mjs';
import { snippets } from './snippets.mjs';
import { inParallel, root, runNode, tool } from './workspace.mjs';

const folder = join(root, '.examples');
const seconds = 60;

/** The step `examples` of the check. */
export async function runExamples() {
  const all = snippets();
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder);
  try {
    const wrong = await typeCheck(all);
    if (wrong) return { passed: 0, failed: 1, output: wrong };
    const runnable = all.filter((s) => s.runs);
    const scripts = exampleScripts();
    const failures = [...(await runSnippets(runnable, folder)), ...(await runScripts(scripts))].filter(
      Boolean,
    );
    const passed = runnable.length + scripts.length - failures.length;
    const note =
      runnable.length < all.length ? `${all.length - runnable.length} type-checked only` : undefined;
    return { passed, failed: failures.length, output: failures.join('\n'), note };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The scripts in `examples/`; the demo, which takes minutes, is a command of its own. */
const exampleScripts = () =>
  readdirSync(join(root, 'examples')).filter((name) => name.endsWith('.mjs') && name !== 'demo.mjs');

/** Runs scripts of `examples/`, each in an empty folder. Resolves to one text for each: '' if it ran, or what it printed. */
async function runScripts(names) {
  return inParallel(names, async (name) => {
    const cwd = mkdtempSync(join(tmpdir(), 'e3va-example-'));
    try {
      const { code, output } = await runNode(join(root, 'examples', name), [], {
        cwd,
        timeout: 3 * seconds * 1000,
      });
      return code === 0 ? '' : `examples/${name} does not run\n${output}`;
    } finally {
      rmSync(cwd, { recursive: true, force: true });
    }
  });
}

/** What tsc finds wrong with the snippets, at the lines of the files that they come from; '' if nothing. */
async function typeCheck(all) {
  for (const { slug, code } of all) writeFileSync(join(folder, `${slug}.ts`), `${code}\nexport {};\n`);
  const config = {
    extends: '../tsconfig.json',
    compilerOptions: { noUnusedLocals: false, noUnusedParameters: false },
    include: ['./*.ts'],
  };
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(config));
  const { code, output } = await tool('typescript', 'tsc', ['--noEmit', '--pretty', 'false', '-p', folder]);
  if (code === 0) return '';
  const bySlug = new Map(all.map((s) => [s.slug, s]));
  return output.replaceAll(/^\.examples\/(.+)\.ts\((\d+),/gm, (text, slug, line) => {
    const from = bySlug.get(slug);
    return from ? `${from.file}(${from.line + Number(line) - 1},` : text;
  });
}

/**
 * Runs the snippets as modules of `modules`, a folder from which the packages resolve. Each runs in its own copy of the
 * example data. Resolves to one text for each: '' if it ran, or where it stands and what it printed.
 */
export async function runSnippets(all, modules) {
  const { default: ts } = await import('typescript');
  const options = {
    module: ts.ModuleKind.ESNext,
    target: ts.ScriptTarget.ES2022,
    verbatimModuleSyntax: true,
  };
  const cwd = mkdtempSync(join(tmpdir(), 'e3va-examples-'));
  try {
    await writeExampleData(join(cwd, 'data'));
    return await inParallel(all, async ({ slug, code, file, line }) => {
      const module = join(modules, `${slug}.mjs`);
      writeFileSync(module, ts.transpileModule(code, { compilerOptions: options }).outputText);
      const own = join(cwd, slug);
      cpSync(join(cwd, 'data'), own, { recursive: true });
      const { code: status, output } = await runNode(module, [], { cwd: own, timeout: seconds * 1000 });
      return status === 0 ? '' : `${file}:${line} does not run\n${output}`;
    });
  } finally {
    rmSync(cwd, { recursive: true, force: true });
  }
}

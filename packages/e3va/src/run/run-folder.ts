import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { writeFileAtomic } from '@e3va/adapter-core';
import { RunError } from '../errors.ts';
import { formatRecipe } from '../recipe/load.ts';
import { parseRecipe } from '../recipe/parse.ts';
import type { Recipe } from '../recipe/schema.ts';
import { attempt } from './attempt.ts';
import type { LogEntry } from './log.ts';

/**
 * The folder that a training run writes:
 *
 * ```text
 * recipe.yaml        the recipe, every default written out
 * log.jsonl          a line for each step and each evaluation
 * events.out.…       the same for TensorBoard
 * checkpoints/       best.safetensors, last.safetensors
 * report.html        curves, scores of each class, predictions
 * ```
 */
export class RunFolder {
  private constructor(
    /** Absolute path. */
    readonly dir: string,
  ) {}

  /**
   * Makes the folder of a new run: `dir`, or `runs/DATE-TIME`. A link `latest` beside it points at it if the folder around is
   * called `runs`.
   *
   * @throws {@link RunError} if `dir` holds a run already, or cannot be made.
   */
  static create(recipe: Recipe, dir = recipe.run.dir ?? freshName()): RunFolder {
    const folder = new RunFolder(resolve(dir));
    if (existsSync(folder.recipePath)) {
      throw new RunError({
        what: `${dir} holds a run already`,
        fix: `continue it with --resume ${dir}, or choose another folder with --out`,
      });
    }
    attempt(`cannot make the run folder ${dir}`, () => {
      mkdirSync(join(folder.dir, 'checkpoints'), { recursive: true });
      writeFileSync(folder.recipePath, formatRecipe(recipe));
    });
    if (basename(dirname(folder.dir)) === 'runs') pointLatest(folder.dir);
    return folder;
  }

  /**
   * Opens the folder of an earlier run; a `latest` pointer is followed.
   *
   * @throws {@link RunError} if there is none.
   */
  static open(dir: string): RunFolder {
    const path = followPointer(resolve(dir));
    const folder = new RunFolder(path);
    if (existsSync(folder.recipePath)) return folder;
    throw new RunError({
      what: `${dir} is no run folder`,
      expected: 'a folder with recipe.yaml and checkpoints, as e3va train writes it',
      received: existsSync(path) ? 'a folder or file without recipe.yaml' : 'nothing of that name',
      fix: 'train first, or check the path',
    });
  }

  /** Path of the resolved recipe. */
  get recipePath(): string {
    return join(this.dir, 'recipe.yaml');
  }

  /** Path of the report. */
  get reportPath(): string {
    return join(this.dir, 'report.html');
  }

  private get logPath(): string {
    return join(this.dir, 'log.jsonl');
  }

  /** Path of a checkpoint. */
  checkpointPath(which: 'best' | 'last'): string {
    return join(this.dir, 'checkpoints', `${which}.safetensors`);
  }

  /** Path of the checkpoint to predict with: the best one, or the last where there is no best. */
  get trainedPath(): string {
    const best = this.checkpointPath('best');
    return existsSync(best) ? best : this.checkpointPath('last');
  }

  /** The recipe of the run. */
  recipe(): Recipe {
    return parseRecipe(this.recipeText(), { file: this.recipePath });
  }

  /** The recipe as it was written. */
  recipeText(): string {
    return readFileSync(this.recipePath, 'utf8');
  }

  /** Appends lines to the log. */
  append(entries: readonly LogEntry[]): void {
    const text = entries.map((entry) => `${JSON.stringify(entry)}\n`).join('');
    attempt(`cannot write ${this.logPath}`, () => appendFileSync(this.logPath, text));
  }

  /** All lines of the log; a last line that was cut short is left out. */
  log(): LogEntry[] {
    if (!existsSync(this.logPath)) return [];
    const lines = readFileSync(this.logPath, 'utf8').split('\n').filter(Boolean);
    return lines.flatMap((line) => {
      try {
        return [JSON.parse(line) as LogEntry];
      } catch {
        return [];
      }
    });
  }

  /** Drops the lines of steps after `step`, which a resumed run makes again. */
  async rewindLog(step: number): Promise<void> {
    const kept = this.log().filter((entry) => entry.step <= step);
    await writeFileAtomic(this.logPath, kept.map((entry) => `${JSON.stringify(entry)}\n`).join(''));
  }
}

function freshName(): string {
  const stamp = new Date().toISOString().slice(0, 19).replace(/[-:]/g, '').replace('T', '-');
  for (let i = 1; ; i++) {
    const dir = join('runs', i === 1 ? stamp : `${stamp}-${i}`);
    if (!existsSync(dir)) return dir;
  }
}

/** Points `latest` beside `dir` at it: a link, or a file with the name where links are not allowed. */
function pointLatest(dir: string): void {
  const pointer = join(dirname(dir), 'latest');
  try {
    rmSync(pointer, { force: true });
    try {
      symlinkSync(basename(dir), pointer, 'dir');
    } catch {
      writeFileSync(pointer, `${basename(dir)}\n`);
    }
  } catch {
    // a folder of this name, say: the run works without its pointer
  }
}

function followPointer(path: string): string {
  const isFile = existsSync(path) && statSync(path).isFile() && basename(path) === 'latest';
  return isFile ? join(dirname(path), readFileSync(path, 'utf8').trim()) : path;
}

import { join } from 'node:path';
import { writeFileAtomic } from '@e3va/adapter-core';
import type { MaskFolder } from '@e3va/datasets';
import { formatClassTable } from '@e3va/metrics';
import { type ArgsDef, type CommandDef, defineCommand } from 'citty';
import { openData } from '../data.ts';
import { CheckpointError, UsageError } from '../errors.ts';
import { evaluate } from '../evaluate.ts';
import { predictFiles } from '../predict-files.ts';
import { createProgress } from '../progress.ts';
import { builtInRecipes, loadRecipe } from '../recipe/load.ts';
import { parseRecipe } from '../recipe/parse.ts';
import type { Recipe } from '../recipe/schema.ts';
import { loadRun } from '../run/load-run.ts';
import { RunFolder } from '../run/run-folder.ts';
import { trainRun } from '../train-run.ts';
import { checkFlags, recipeFlags } from './flags.ts';
import { inspect } from './inspect.ts';

const recipeArgs = {
  config: {
    type: 'string',
    description: `recipe: a YAML file, or ${builtInRecipes().join(', ')}`,
    valueHint: 'FILE',
  },
  data: { type: 'string', description: 'folder of images and masks', valueHint: 'DIR' },
  backbone: { type: 'string', description: 'nano, or a safetensors file', valueHint: 'NAME' },
  method: { type: 'string', description: 'e3va, frozen or full', valueHint: 'NAME' },
  rank: { type: 'string', description: 'rank of the adapters', valueHint: 'N' },
  steps: { type: 'string', description: 'training steps', valueHint: 'N' },
  batch: { type: 'string', description: 'images of a step', valueHint: 'N' },
  lr: { type: 'string', description: 'learning rate', valueHint: 'X' },
  seed: { type: 'string', description: 'seed of all random numbers', valueHint: 'N' },
  backend: { type: 'string', description: 'auto, tensorflow, wasm or cpu', valueHint: 'NAME' },
} satisfies ArgsDef;

const debugArgs = {
  debug: { type: 'boolean', description: 'print the stack of an error' },
} satisfies ArgsDef;

/** What the commands get besides their flags. */
interface CommandData {
  /** Recipe flags with a dot. */
  dotted: Record<string, string>;
}

const train = command(
  'train',
  'Train an adapter and a head on a folder of images and masks',
  {
    ...recipeArgs,
    out: { type: 'string', description: 'folder of the run (default: runs/DATE-TIME)', valueHint: 'DIR' },
    resume: { type: 'string', description: 'go on with the run in this folder', valueHint: 'RUN' },
    ...debugArgs,
  },
  async (args, flags) => {
    const { config, resume } = args;
    if (resume !== undefined && config !== undefined) {
      throw new UsageError({ what: '--resume takes the recipe of the run', fix: 'leave --config out' });
    }
    const recipe = resume === undefined ? loadRecipe(config, flags) : resumedRecipe(resume, flags);
    const stop = stopOnInterrupt();
    const result = await trainRun(recipe, {
      ...(resume !== undefined && { resume }),
      signal: stop.signal,
      progress: createProgress(),
    });
    const best = result.best
      ? `best mIoU ${(100 * result.best.mIoU).toFixed(2)} % at step ${result.best.step}`
      : '';
    print([
      `${endings[result.ended]} after ${result.steps} steps; ${best}`,
      `report: ${result.report}`,
      `run: ${result.dir}`,
    ]);
    if (result.ended === 'interrupted') {
      print([`go on with: e3va train --resume ${result.dir}`]);
      process.exitCode = 130;
    }
  },
);

const endings = {
  done: 'done',
  'early-stop': 'stopped early: no better score',
  interrupted: 'interrupted and saved',
};

function resumedRecipe(dir: string, flags: Record<string, string>): Recipe {
  return parseRecipe(RunFolder.open(dir).recipe(), { flags });
}

/** A signal that the first Ctrl-C aborts; the second one ends the process. */
function stopOnInterrupt(): AbortController {
  const stop = new AbortController();
  const interrupt = () => {
    if (stop.signal.aborted) process.exit(130);
    process.stderr.write('\nfinishing the step and saving; Ctrl-C again to exit at once\n');
    stop.abort();
  };
  process.on('SIGINT', interrupt);
  process.on('SIGTERM', interrupt);
  return stop;
}

const runArg = {
  type: 'string',
  description: 'folder of a run',
  default: 'runs/latest',
  valueHint: 'DIR',
} as const;

const evalCommand = command(
  'eval',
  'Score the best checkpoint of a run on validation images',
  {
    run: runArg,
    data: { type: 'string', description: 'another data folder than the one of the run', valueHint: 'DIR' },
    split: { type: 'string', description: 'train, val or test', default: 'val', valueHint: 'NAME' },
    out: {
      type: 'string',
      description: 'JSON file of the scores (default: RUN/eval-SPLIT.json)',
      valueHint: 'FILE',
    },
    backend: recipeArgs.backend,
    ...debugArgs,
  },
  async (args) => {
    const { recipe, info, segmenter, folder } = await loadRun(args.run, backendOf(args.backend));
    const data = await openData(
      args.data === undefined ? recipe : { ...recipe, data: { ...recipe.data, dir: args.data } },
    );
    checkClassCount(info.classes.length, data);
    const split = data.split(args.split as 'val');
    const progress = createProgress();
    const scores = await evaluate(segmenter, split, data);
    progress.stop();
    print([
      `${split.length} images of ${data.directory}, split ${args.split}`,
      formatClassTable(scores, info.classes),
    ]);
    const out = args.out ?? join(folder.dir, `eval-${args.split}.json`);
    const { perClass, ...means } = scores;
    const classes = info.classes.map((name, c) => ({
      name,
      iou: perClass.iou[c],
      acc: perClass.acc[c],
      dice: perClass.dice[c],
    }));
    await writeFileAtomic(
      out,
      `${JSON.stringify({ step: info.step, images: split.length, ...means, classes }, null, 2)}\n`,
    );
    print([`scores: ${out}`]);
    segmenter.dispose();
  },
);

const predict = command(
  'predict',
  'Segment photos with the best checkpoint of a run',
  {
    run: runArg,
    images: {
      type: 'positional',
      description: 'photo, folder of photos, or quoted pattern; several are allowed',
      required: false,
    },
    out: { type: 'string', description: 'folder for the results', default: 'predictions', valueHint: 'DIR' },
    overlay: { type: 'boolean', description: 'also write the colours laid over the photo', default: true },
    backend: recipeArgs.backend,
    ...debugArgs,
  },
  async (args) => {
    if (args._.length === 0) {
      throw new UsageError({ what: 'no photo given', fix: 'e3va predict photo.jpg' });
    }
    const { segmenter } = await loadRun(args.run, backendOf(args.backend));
    for await (const { mask, index, overlay } of predictFiles(segmenter, args._, args.out, {
      overlay: args.overlay,
    })) {
      print([mask, index, ...(overlay === undefined ? [] : [overlay])]);
    }
    segmenter.dispose();
  },
);

const inspectCommand = command(
  'inspect',
  'Show what a recipe or a run trains: taps, levels, parameters, memory',
  {
    ...recipeArgs,
    run: { type: 'string', description: 'folder of a run, in place of a recipe', valueHint: 'DIR' },
    classes: {
      type: 'string',
      description: 'number of classes where no data folder tells it',
      default: '2',
      valueHint: 'N',
    },
    ...debugArgs,
  },
  async (args, flags) => {
    const recipe = args.run === undefined ? loadRecipe(args.config, flags) : resumedRecipe(args.run, flags);
    await inspect(recipe, Number(args.classes), (line) => print([line]));
  },
);

function checkClassCount(classes: number, data: MaskFolder): void {
  if (data.classes.length === classes) return;
  throw new CheckpointError({
    what: `${data.directory} has other classes than the run`,
    expected: `${classes} classes`,
    received: `${data.classes.length}: ${data.classes.join(', ')}`,
    fix: 'give the class names of the run in a classes.txt in the folder',
  });
}

function backendOf(name: string | undefined): Recipe['backend'] | undefined {
  return name === undefined ? undefined : parseRecipe('', { flags: { backend: name } }).backend;
}

function print(lines: readonly string[]): void {
  for (const line of lines) process.stdout.write(`${line}\n`);
}

/** A citty command whose flags are checked, and which gets the flags that set recipe keys. */
function command<const T extends ArgsDef>(
  name: string,
  description: string,
  args: T,
  run: (
    args: Parameters<NonNullable<CommandDef<T>['run']>>[0]['args'],
    flags: Record<string, string>,
  ) => Promise<void>,
): CommandDef<T> {
  return defineCommand<T>({
    meta: { name, description },
    args,
    run: async ({ args: parsed, data }) => {
      checkFlags(parsed, args);
      const { dotted } = (data ?? { dotted: {} }) as CommandData;
      await run(parsed, recipeFlags(parsed, dotted));
    },
  });
}

/** The commands by name. */
// biome-ignore lint/suspicious/noExplicitAny: each command has flags of its own
export const commands: Record<string, CommandDef<any>> = {
  train,
  eval: evalCommand,
  predict,
  inspect: inspectCommand,
};

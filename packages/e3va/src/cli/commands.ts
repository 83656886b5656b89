import { join } from 'node:path';
import { writeFileAtomic } from '@e3va/adapter-core';
import { type ArgsDef, type CommandDef, defineCommand } from 'citty';
import { CheckpointError, UsageError } from '../errors.ts';
import { loadModel } from '../models/load-model.ts';
import { measuredImage } from '../models/memory.ts';
import { createProgress } from '../progress.ts';
import { builtInRecipes, loadRecipe } from '../recipe/load.ts';
import { methodNames } from '../recipe/method-schema.ts';
import { parseRecipe } from '../recipe/parse.ts';
import type { Recipe } from '../recipe/schema.ts';
import { formatBest } from '../run/facts.ts';
import { loadRun } from '../run/load-run.ts';
import { RunFolder } from '../run/run-folder.ts';
import type { ClassInfo, PredictOptions, TaskData, TaskModel, TaskScores } from '../task.ts';
import { taskOf } from '../tasks.ts';
import { trainRun } from '../train-run.ts';
import { checkData } from './data-check.ts';
import { checkFlags, recipeFlags } from './flags.ts';
import { pull, push } from './hub.ts';
import { inspect } from './inspect.ts';
import { modelTable } from './models.ts';

const recipeArgs = {
  config: {
    type: 'string',
    description: `recipe: a YAML file, or ${builtInRecipes().join(', ')}`,
    valueHint: 'FILE',
  },
  task: { type: 'string', description: 'segmentation or detection', valueHint: 'NAME' },
  data: { type: 'string', description: 'folder of images and their annotations', valueHint: 'DIR' },
  model: {
    type: 'string',
    description: 'trained model to start from, backbone and head: as --backbone takes it',
    valueHint: 'NAME',
  },
  backbone: {
    type: 'string',
    description:
      'pretrained backbone: a name of e3va models, a model id (org/name@revision), a folder or a file',
    valueHint: 'NAME',
  },
  method: { type: 'string', description: `one of ${methodNames.join(', ')}`, valueHint: 'NAME' },
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
  'Train an adapter and a head on a folder of images with masks or boxes',
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
    const best = result.best ? `best ${formatBest(result.best)}` : '';
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

/** Which trained model a command works with. */
const trainedArgs = {
  run: { type: 'string', description: 'folder of a run (default: runs/latest)', valueHint: 'DIR' },
  model: {
    type: 'string',
    description:
      'a pretrained model in place of a run: a name of e3va models, a model id, a folder or a file',
    valueHint: 'NAME',
  },
  backend: recipeArgs.backend,
} satisfies ArgsDef;

/** A model of a run, or a pretrained one. */
interface Trained {
  recipe: Recipe;
  model: TaskModel & { info: ClassInfo };
  /** Folder of the run. */
  dir?: string;
  /** Step of the checkpoint. */
  step?: number;
}

async function loadTrained(args: {
  run: string | undefined;
  model: string | undefined;
  backend: string | undefined;
}): Promise<Trained> {
  if (args.run !== undefined && args.model !== undefined) {
    throw new UsageError({ what: '--run and --model name two models', fix: 'leave one of them out' });
  }
  const backend = backendOf(args.backend);
  if (args.model !== undefined) return loadModel(args.model, { backend });
  const { recipe, model, folder, info } = await loadRun(args.run ?? 'runs/latest', { backend });
  return { recipe, model, dir: folder.dir, step: info.step };
}

const evalCommand = command(
  'eval',
  'Score the best checkpoint of a run, or a pretrained model, on validation images',
  {
    ...trainedArgs,
    data: { type: 'string', description: 'another data folder than the one of the run', valueHint: 'DIR' },
    split: { type: 'string', description: 'train, val or test', default: 'val', valueHint: 'NAME' },
    out: {
      type: 'string',
      description: 'JSON file of the scores (default: RUN/eval-SPLIT.json)',
      valueHint: 'FILE',
    },
    ...debugArgs,
  },
  async (args) => {
    const { recipe, model, dir: folder = '.', step } = await loadTrained(args);
    const names = model.info.classes;
    const task = taskOf(recipe);
    const { dir = recipe.data.dir } = { dir: args.data };
    const data = await task.openData({ ...recipe, data: { ...recipe.data, dir } } as Recipe);
    checkClassCount(names.length, data);
    const images = data.split(args.split).length;
    const result = await task.evaluate(model, data, args.split);
    print([`${images} images of ${data.directory}, split ${args.split}`, scoreTable(result, names)]);
    const out = args.out ?? join(folder, `eval-${args.split}.json`);
    const classes = names.map((name, c) => ({
      name,
      ...Object.fromEntries(Object.entries(result.perClass).map(([key, values]) => [key, values[c]])),
    }));
    await writeFileAtomic(out, `${JSON.stringify({ step, images, ...result.scores, classes }, null, 2)}\n`);
    print([`scores: ${out}`]);
    model.dispose();
  },
);

const predict = command(
  'predict',
  'Segment photos, or find objects in them, with the best checkpoint of a run or a pretrained model',
  {
    ...trainedArgs,
    images: {
      type: 'positional',
      description: 'photo, folder of photos, or quoted pattern; several are allowed',
      required: false,
    },
    out: { type: 'string', description: 'folder for the results', default: 'predictions', valueHint: 'DIR' },
    overlay: {
      type: 'boolean',
      description: 'also write the photo with the result drawn on it',
      default: true,
    },
    format: {
      type: 'string',
      description: 'detection: coco (one results JSON) or yolo (a txt file a photo)',
      default: 'coco',
      valueHint: 'NAME',
    },
    score: {
      type: 'string',
      description: 'detection: least score of what is drawn and written as yolo',
      default: '0.3',
      valueHint: 'X',
    },
    ...debugArgs,
  },
  async (args) => {
    if (args._.length === 0) {
      throw new UsageError({ what: 'no photo given', fix: 'e3va predict photo.jpg' });
    }
    const options = predictOptions(args);
    const { model, recipe } = await loadTrained(args);
    for await (const line of taskOf(recipe).predictFiles(model, args._, args.out, options)) print([line]);
    model.dispose();
  },
);

function predictOptions({
  overlay,
  format,
  score,
}: {
  overlay: boolean;
  format: string;
  score: string;
}): PredictOptions {
  if (format !== 'coco' && format !== 'yolo') {
    throw new UsageError({ what: 'unknown --format', expected: 'coco or yolo', received: format });
  }
  const scoreThreshold = Number(score);
  if (!(scoreThreshold >= 0 && scoreThreshold <= 1)) {
    throw new UsageError({ what: 'wrong --score', expected: 'a number from 0 to 1', received: score });
  }
  return { overlay, format, scoreThreshold };
}

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

const dataCommand = defineCommand({
  meta: { name: 'data', description: 'Look at a data folder before training' },
  subCommands: {
    check: command(
      'check',
      'Tell what is wrong in which file and line, and draw a sheet of annotated images',
      {
        dir: { type: 'positional', description: 'the data folder', valueHint: 'DIR', required: false },
        format: {
          type: 'string',
          description: 'coco, voc, yolo or labelme, where the folder holds several',
          valueHint: 'NAME',
        },
        out: {
          type: 'string',
          description: 'picture of annotated images',
          default: 'contact-sheet.png',
          valueHint: 'FILE',
        },
        count: { type: 'string', description: 'images on the sheet', default: '12', valueHint: 'N' },
        ...debugArgs,
      },
      async ({ dir, format, out, count }) => {
        if (dir === undefined) throw new UsageError({ what: 'no folder given', fix: 'e3va data check DIR' });
        const recipe = parseRecipe('', {
          flags: { task: 'detection', ...(format && { 'data.format': format }) },
        });
        const chosen = recipe.task === 'detection' ? recipe.data.format : undefined;
        const options = { sheet: out, count: Number(count), ...(chosen && { format: chosen }) };
        if (!(await checkData(dir, options, (line) => print([line])))) process.exitCode = 1;
      },
    ),
  },
});

function checkClassCount(classes: number, data: TaskData): void {
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

/** The scores as a table: a row a class, then each figure over all of them, in per cent. */
function scoreTable({ scores, perClass }: TaskScores, classes: readonly string[]): string {
  const columns = Object.entries(perClass);
  const width = Math.max(...['class', ...classes, ...Object.keys(scores)].map((name) => name.length));
  const cell = (value: number | null | undefined) =>
    value === null || value === undefined || Number.isNaN(value) ? '–' : (100 * value).toFixed(2);
  const cells = (texts: string[]) => texts.map((text) => text.padStart(12)).join('');
  const line = (name: string, values: (number | null | undefined)[]) =>
    `${name.padEnd(width)}${cells(values.map(cell))}`;
  return [
    `${'class'.padEnd(width)}${cells(columns.map(([name]) => name))}`,
    ...classes.map((name, c) =>
      line(
        name,
        columns.map(([, values]) => values[c]),
      ),
    ),
    ...Object.entries(scores).map(([name, value]) => line(name, [value])),
  ].join('\n');
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

const modelsCommand = command(
  'models',
  'List the pretrained models: size, licence, classes, published figures, memory of a training step',
  { ...debugArgs },
  async () => {
    print([
      modelTable(),
      '',
      `E³VA, LoRA, full: peak memory of a training step of ${measuredImage} without a head, on the wasm backend.`,
      'Any other model of the Hugging Face hub, a folder or a weight file of these families may be named too.',
    ]);
  },
);

const pushCommand = command(
  'push',
  'Publish a trained model, adapter and head, on the Hugging Face hub; HF_TOKEN must be set',
  {
    repo: { type: 'positional', description: 'organisation/name', valueHint: 'REPO', required: false },
    run: { type: 'string', description: 'folder of a run (default: runs/latest)', valueHint: 'DIR' },
    file: { type: 'string', description: 'an adapter file in place of a run', valueHint: 'FILE' },
    license: { type: 'string', description: 'licence for the model card, as apache-2.0', valueHint: 'ID' },
    private: { type: 'boolean', description: 'make the repository private' },
    ...debugArgs,
  },
  async ({ repo, ...flags }) => {
    if (repo === undefined) throw new UsageError({ what: 'no repository given', fix: 'e3va push me/name' });
    if (flags.run !== undefined && flags.file !== undefined) {
      throw new UsageError({ what: '--run and --file name two things', fix: 'leave one of them out' });
    }
    print([await push(repo, flags)]);
  },
);

const pullCommand = command(
  'pull',
  'Get a model that e3va push published, as a run that predict, eval and train take',
  {
    id: {
      type: 'positional',
      description: 'organisation/name or organisation/name@revision',
      required: false,
    },
    out: { type: 'string', description: 'folder or file to write (default: runs/NAME)', valueHint: 'PATH' },
    adapter: { type: 'boolean', description: 'the repository holds the file of an adapter alone' },
    ...debugArgs,
  },
  async ({ id, out, adapter }) => {
    if (id === undefined) throw new UsageError({ what: 'no model given', fix: 'e3va pull them/name' });
    print([await pull(id, out, adapter ?? false)]);
  },
);

/** The commands by name. */
// biome-ignore lint/suspicious/noExplicitAny: each command has flags of its own
export const commands: Record<string, CommandDef<any>> = {
  train,
  eval: evalCommand,
  predict,
  inspect: inspectCommand,
  models: modelsCommand,
  push: pushCommand,
  pull: pullCommand,
  data: dataCommand,
};

export { type ActiveBackend, type BackendChoice, useBackend } from './backend.ts';
export { openData, TrainBatches } from './data.ts';
export {
  BackendError,
  CheckpointError,
  DivergedError,
  InputError,
  RecipeError,
  RunError,
  UsageError,
} from './errors.ts';
export { evaluate, predictImage } from './evaluate.ts';
export { measureMethods, measureStep, type StepCost } from './measure-step.ts';
export { AdamW, type AdamWOptions, type NamedTensor } from './optim/adamw.ts';
export { isDecayed } from './optim/decay.ts';
export { WeightAverage } from './optim/ema.ts';
export { type PredictedFiles, predictFiles } from './predict-files.ts';
export {
  createProgress,
  type Progress,
  type ProgressState,
  type ProgressStream,
  silentProgress,
} from './progress.ts';
export { builtInRecipes, formatRecipe, loadRecipe } from './recipe/load.ts';
export { type ParseRecipeOptions, parseRecipe } from './recipe/parse.ts';
export { type Recipe, type RecipeInput, recipeSchema } from './recipe/schema.ts';
export { type ReportPicture, reportPictures } from './report/pictures.ts';
export { type ReportData, renderReport } from './report/report.ts';
export {
  type Checkpoint,
  type CheckpointInfo,
  readCheckpoint,
  saveCheckpoint,
} from './run/checkpoint.ts';
export { applyCheckpoint, type LoadedRun, loadRun } from './run/load-run.ts';
export type { EvalEntry, LogEntry, TrainEntry } from './run/log.ts';
export { RunFolder } from './run/run-folder.ts';
export { learningRateFactor, type Schedule } from './schedule.ts';
export { type ClassInfo, type ModelRecipe, type NamedWeight, Segmenter } from './segmenter.ts';
export { type EncodedImage, TensorBoardWriter } from './tensorboard/writer.ts';
export { type TrainRunOptions, type TrainRunResult, trainRun } from './train-run.ts';
export { type Batch, Trainer, type TrainerState, type TrainSettings } from './trainer.ts';

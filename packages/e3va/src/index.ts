export { type ActiveBackend, type BackendChoice, useBackend } from './backend.ts';
export { openData, TrainBatches } from './data.ts';
export {
  type DetectionBatch,
  DetectionModel,
  type DetectionModelRecipe,
} from './detection/detection-model.ts';
export { type DetectionEvaluation, detectImage, evaluateDetections } from './detection/evaluate.ts';
export { type DetectedFiles, detectFiles } from './detection/predict-files.ts';
export {
  BackendError,
  CheckpointError,
  DivergedError,
  InputError,
  ModelError,
  RecipeError,
  RunError,
  UsageError,
} from './errors.ts';
export { measureMethods, measureStep, type StepCost } from './measure-step.ts';
export { models, type PretrainedModel } from './models/catalogue.ts';
export { type LoadedModel, type LoadModelOptions, loadModel } from './models/load-model.ts';
export type { NamedWeight } from './named-weight.ts';
export { AdamW, type AdamWOptions, type NamedTensor } from './optim/adamw.ts';
export { isDecayed } from './optim/decay.ts';
export { WeightAverage } from './optim/ema.ts';
export {
  createProgress,
  type Progress,
  type ProgressState,
  type ProgressStream,
  silentProgress,
} from './progress.ts';
export { builtInRecipes, formatRecipe, loadRecipe } from './recipe/load.ts';
export { type ParseRecipeOptions, parseRecipe } from './recipe/parse.ts';
export {
  type DetectionInput,
  type DetectionRecipe,
  type Recipe,
  recipeSchema,
  type SegmentationInput,
  type SegmentationRecipe,
} from './recipe/schema.ts';
export { type ReportData, type ReportPlot, type ReportSection, renderReport } from './report/report.ts';
export {
  type Checkpoint,
  type CheckpointInfo,
  readCheckpoint,
  saveCheckpoint,
} from './run/checkpoint.ts';
export { applyCheckpoint, type LoadedRun, type LoadRunOptions, loadRun } from './run/load-run.ts';
export type { BestScore, EvalEntry, LogEntry, TrainEntry } from './run/log.ts';
export { RunFolder } from './run/run-folder.ts';
export { learningRateFactor, type Schedule } from './schedule.ts';
export { evaluate, predictImage } from './segmentation/evaluate.ts';
export { type ClassShare, type PredictedFiles, predictFiles } from './segmentation/predict-files.ts';
export { type SegmentationBatch, Segmenter, type SegmenterRecipe } from './segmentation/segmenter.ts';
export type { Batch, ClassInfo, Losses, PredictOptions, TaskData, TaskModel, TaskScores } from './task.ts';
export { type EncodedImage, TensorBoardWriter } from './tensorboard/writer.ts';
export { type TrainRunOptions, type TrainRunResult, trainRun } from './train-run.ts';
export { Trainer, type TrainerState, type TrainSettings } from './trainer.ts';

import { E3vaError } from '@e3va/highway-grad';

/** A recipe holds an unknown key, or a value that its key cannot take. The message names the key and, for a file, the line. */
export class RecipeError extends E3vaError {}

/** The loss, or a weight, became NaN or infinite. Nothing was saved over the last good checkpoint. */
export class DivergedError extends E3vaError {}

/** A run folder is missing, incomplete or cannot be written. */
export class RunError extends E3vaError {}

/** A checkpoint does not belong to the model that it is loaded into, or is damaged. */
export class CheckpointError extends E3vaError {}

/** A compute backend is unknown or cannot be started. */
export class BackendError extends E3vaError {}

/** What was given to `predict` is missing, or holds no image. */
export class InputError extends E3vaError {}

/** The command line has an unknown flag or lacks one. */
export class UsageError extends E3vaError {}

/** A pretrained model is of another task, or of a kind that is not known here. */
export class ModelError extends E3vaError {}

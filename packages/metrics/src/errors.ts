/** The parts of an error message: what happened, what was expected, what was received, and what to do about it. */
export interface MetricsErrorParts {
  what: string;
  expected?: string;
  received?: string;
  fix?: string;
}

/** The mark that every e3va error carries, so that `E3vaError.isInstance` of another package recognises these too. */
const mark = Symbol.for('@e3va/error');

/**
 * Base class of the errors of this package. It keeps the message contract of `E3vaError` in
 * `@e3va/highway-grad` (what, `expected:`, `received:`, `to do:`) without importing TensorFlow.js.
 */
export class MetricsError extends Error {
  /** The parts that the message was made of. */
  readonly parts: MetricsErrorParts;

  constructor(parts: MetricsErrorParts) {
    super(messageOf(parts));
    this.name = new.target.name;
    this.parts = parts;
    Object.defineProperty(this, mark, { value: true });
  }
}

function messageOf({ what, expected, received, fix }: MetricsErrorParts): string {
  const lines = [what];
  if (expected !== undefined) lines.push(`  expected: ${expected}`);
  if (received !== undefined) lines.push(`  received: ${received}`);
  if (fix !== undefined) lines.push(`  to do: ${fix}`);
  return lines.join('\n');
}

/** A prediction or a label holds a value that is no class index. */
export class ClassIndexError extends MetricsError {}

/** Prediction and label hold different numbers of pixels. */
export class LengthMismatchError extends MetricsError {}

/** The number of classes is not usable, or two sides of an operation have different numbers of classes. */
export class ClassCountError extends MetricsError {}

/** A run-length mask is malformed, too large, or does not fit what it is used with. */
export class RleError extends MetricsError {}

/** A polygon cannot be drawn: too few points, an odd number of coordinates, or one that is out of range. */
export class PolygonError extends MetricsError {}

/** Ground truth cannot be evaluated: an unknown image or class, a double id, a number that is none. */
export class GroundTruthError extends MetricsError {}

/** A detection cannot be evaluated: an unknown image or class, a score or box that is no number, a mask that is missing. */
export class DetectionError extends MetricsError {}

/** An option of an evaluation has no usable value. */
export class EvaluationOptionError extends MetricsError {}

/** Something that is wrong in a data set, and what was done about it. */
export interface DataProblem {
  /** Path of the file. */
  file: string;
  /** Line of the file, from 1, where it is known. */
  line?: number;
  /** `error`: what stands there cannot be used. `warning`: it was repaired or left out. */
  severity: 'error' | 'warning';
  /** What is wrong, in a few words. */
  what: string;
  /** What was done: `clipped`, `dropped`, `kept`, … */
  action: string;
}

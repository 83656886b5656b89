import type { ImageIndex } from './image-index.ts';
import type { DetectionFolderOptions } from './options.ts';
import type { Report } from './problems.ts';

/** What the readers of all forms share while a folder is opened. */
export interface Reading {
  directory: string;
  /** All files below the folder; see {@link listFiles}. */
  files: readonly string[];
  images: ImageIndex;
  options: DetectionFolderOptions;
  report: Report;
  /** What was decided without being asked, in one sentence each. */
  notes: string[];
  /** Path of a file below the folder, for reading and messages. */
  path(file: string): string;
}

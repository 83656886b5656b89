import { detection } from './detection/task.ts';
import type { Recipe } from './recipe/schema.ts';
import { segmentation } from './segmentation/task.ts';
import type { Task } from './task.ts';

const tasks: Record<Recipe['task'], Task> = { segmentation, detection };

/** The task of a recipe. */
export function taskOf({ task }: Pick<Recipe, 'task'>): Task {
  return tasks[task];
}

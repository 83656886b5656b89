import type { CheckpointInfo } from '../run/checkpoint.ts';
import { formatBest } from '../run/facts.ts';

/** What a model card says beside the run. */
export interface CardFacts {
  /** Repository that the model goes to. */
  repo: string;
  /** Model id of the backbone, where it is one of the hub. */
  baseModel?: string;
  /** Identifier of a licence, as the hub lists them. */
  license?: string;
}

/** The README.md of a published model: what the run tells, and places for what only its author knows. */
export function modelCard({ recipe, classes, best, step }: CheckpointInfo, facts: CardFacts): string {
  const { repo, baseModel, license } = facts;
  const task = recipe.task === 'segmentation' ? 'image-segmentation' : 'object-detection';
  return [
    '---',
    'library_name: e3va',
    `pipeline_tag: ${task}`,
    ...(baseModel ? [`base_model: ${baseModel}`, 'base_model_relation: adapter'] : []),
    ...(license ? [`license: ${license}`] : []),
    'tags:',
    '- e3va',
    '- tensorflow.js',
    '- adapter',
    '---',
    '',
    `# ${repo.split('/')[1]}`,
    '',
    `Method ${recipe.method.name} on the backbone ${plain(baseModel ?? recipe.backbone.name)} with ${recipe.head.name}: the adapter and the head,`,
    `trained for ${step} steps. ${best ? `Best score on the validation images: ${formatBest(best)}.` : ''}`,
    '',
    `Classes: ${classes.map(plain).join(', ')}.`,
    '',
    '```sh',
    `npx e3va predict --model ${repo} photo.jpg`,
    '```',
    '',
    '## Licence',
    '',
    license
      ? `${license}. The licence of the backbone holds too.`
      : 'To be filled in. The licence of the backbone holds too.',
    '',
    '## Training data',
    '',
    'To be filled in.',
    '',
  ].join('\n');
}

/** A text for a card: in one line, without a meaning in Markdown. */
function plain(text: string): string {
  return text.replace(/[\p{C}]/gu, ' ').replace(/[\\`*_[\]<>|#]/g, '\\$&');
}

import { cardHeader, cardText } from '@e3va/hub';
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
  const pipelineTag = recipe.task === 'segmentation' ? 'image-segmentation' : 'object-detection';
  return [
    ...cardHeader({ baseModel, license, pipelineTag }),
    `# ${repo.split('/')[1]}`,
    '',
    `Method ${recipe.method.name} on the backbone ${cardText(baseModel ?? recipe.backbone.name)} with ${recipe.head.name}: the adapter and the head,`,
    `trained for ${step} steps. ${best ? `Best score on the validation images: ${formatBest(best)}.` : ''}`,
    '',
    `Classes: ${classes.map(cardText).join(', ')}.`,
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

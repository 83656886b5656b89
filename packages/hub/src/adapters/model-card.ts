import type { AdapterMetadata } from '@e3va/adapter-core';

/** What a card says beside the adapter itself. */
export interface CardFacts {
  /** Repository of the adapter. */
  repo: string;
  /** Name of the adapter's file there. */
  file: string;
  /** Repository of the model that it adapts. */
  baseModel: string | undefined;
  /** Identifier of a licence, as hubs list them. */
  license: string | undefined;
}

/** The README.md of an adapter: what the file tells, and places for what only its author knows. */
export function modelCard({ repo, file, baseModel, license }: CardFacts, metadata: AdapterMetadata): string {
  const { method, library } = metadata;
  const name = cardText(method.name);
  const settings = Object.entries(method.config ?? {})
    .filter(([, value]) => typeof value !== 'object')
    .map(([key, value]) => `| ${cardText(key)} | ${cardText(value)} |`);
  return [
    ...cardHeader({ baseModel, license }),
    `# ${repo.split('/')[1]}`,
    '',
    `An adapter of the method ${name} for ${baseModel ? `\`${baseModel}\`` : 'a base model (to be filled in)'}, trained with`,
    `e3va ${cardText(library)}.`,
    '',
    ...(settings.length > 0 ? ['| Setting | Value |', '| --- | --- |', ...settings, ''] : []),
    'It is tied to the base model that it was trained on; another one is refused when it is loaded.',
    '',
    '```ts',
    "import { pullAdapter } from '@e3va/hub';",
    '',
    `const path = await pullAdapter('${repo}'); // ${file}`,
    '```',
    '',
    '## Licence',
    '',
    license
      ? `${license}. The licence of the base model holds too.`
      : 'To be filled in. The licence of the base model holds too.',
    '',
    '## Training data and results',
    '',
    'To be filled in.',
    '',
  ].join('\n');
}

/** What the header of a model card says. */
export interface CardHeader {
  /** Repository of the model that was adapted. */
  baseModel?: string | undefined;
  /** Identifier of a licence, as hubs list them. */
  license?: string | undefined;
  /** What the model does, as hubs list it: `image-segmentation`. */
  pipelineTag?: string;
}

/** The lines of YAML with which the card of a model of e3va begins, and an empty one. */
export function cardHeader({ baseModel, license, pipelineTag }: CardHeader): string[] {
  return [
    '---',
    'library_name: e3va',
    ...(pipelineTag ? [`pipeline_tag: ${pipelineTag}`] : []),
    ...(baseModel ? [`base_model: ${baseModel}`, 'base_model_relation: adapter'] : []),
    ...(license ? [`license: ${license}`] : []),
    'tags:',
    '- e3va',
    '- tensorflow.js',
    '- adapter',
    '---',
    '',
  ];
}

/** A text of a stranger for a card: in one line, cut short, without a meaning in Markdown. */
export function cardText(value: unknown): string {
  return String(value)
    .slice(0, 80)
    .replace(/[\p{C}\n]/gu, ' ')
    .replace(/[\\`*_[\]<>|#]/g, '\\$&');
}

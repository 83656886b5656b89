/** The page of the browser test: does what the test asks for, until it is told to stop. */
import { openModel } from '../src/index.ts';

interface Command {
  source: string;
  options: Record<string, unknown>;
}

async function run({ source, options }: Command): Promise<unknown> {
  const warnings: string[] = [];
  const received: number[] = [];
  try {
    const model = await openModel(source, {
      ...options,
      onWarning: (message) => warnings.push(message),
      onProgress: (progress) => received.push(progress.received),
    });
    const values: Record<string, number[]> = {};
    for (const name of model.weights.entries.keys())
      values[name] = [...(await model.weights.read(name)).data];
    await model.close();
    return {
      name: model.name,
      commit: model.commit,
      config: model.config,
      values,
      warnings,
      last: received.at(-1),
    };
  } catch (error) {
    const { name, message } = error as Error;
    return { error: name, message, warnings };
  }
}

for (;;) {
  const command = await (await fetch('/next')).json();
  if (command === 'reload') {
    location.reload();
    break;
  }
  await fetch('/result', { method: 'POST', body: JSON.stringify(await run(command)) });
}

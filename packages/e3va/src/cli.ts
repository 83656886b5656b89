#!/usr/bin/env node
import { createRequire } from 'node:module';
import { E3vaError } from '@e3va/highway-grad';
import { enableProdMode } from '@tensorflow/tfjs-core';
import { type CommandDef, defineCommand, runCommand, showUsage } from 'citty';
import { commands } from './cli/commands.ts';
import { downloadLine } from './cli/download-line.ts';
import { splitArguments } from './cli/flags.ts';
import { UsageError } from './errors.ts';
import { downloads } from './models/open.ts';
import { nearest } from './recipe/nearest.ts';

const { version } = createRequire(import.meta.url)('../package.json') as { version: string };

const main = defineCommand({
  meta: {
    name: 'e3va',
    version,
    description: 'Fine-tune dense-prediction models with adapters on TensorFlow.js',
  },
  subCommands: commands,
});

/** Runs the command line; errors of e3va are printed as their message, others with their stack. */
async function runCli(args: string[]): Promise<void> {
  enableProdMode();
  downloads.onProgress = downloadLine();
  const command = args[0] === undefined ? undefined : commands[args[0]];
  if (args.includes('--help') || args.includes('-h') || args.length === 0) {
    await showUsage((command ?? main) as CommandDef, command ? (main as CommandDef) : undefined);
    return;
  }
  if (args[0] === '--version' || args[0] === '-v') {
    process.stdout.write(`${version}\n`);
    return;
  }
  if (!command) throw unknownCommand(args[0]!);
  const { rest, dotted } = splitArguments(args.slice(1));
  await runCommand(command, { rawArgs: rest, data: { dotted } });
}

function unknownCommand(name: string): UsageError {
  const names = Object.keys(commands);
  const near = nearest(name, names);
  return new UsageError({
    what: `unknown command ${name}`,
    expected: names.join(' | '),
    fix: near ? `did you mean e3va ${near}?` : 'e3va --help',
  });
}

function report(error: unknown): void {
  const debug = process.argv.includes('--debug') || Boolean(process.env.E3VA_DEBUG);
  const expected = E3vaError.isInstance(error) || (error as Error)?.name === 'CLIError';
  const text = error instanceof Error ? (expected && !debug ? error.message : error.stack) : String(error);
  process.stderr.write(`${expected ? 'error: ' : ''}${text}\n`);
  process.exitCode = 1;
}

runCli(process.argv.slice(2)).catch(report);

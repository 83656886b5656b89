import { join, relative, resolve, sep, win32 } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { repoCache } from '../src/cache/layout.ts';
import { addressOf } from '../src/file-id.ts';
import { HubNameError, parseModelId, resolveFile } from '../src/index.ts';
import { checkPath, checkRepo, checkRevision } from '../src/names.ts';
import { type HubSettings, settingsOf } from '../src/settings.ts';
import { noise } from './fake-hub.ts';
import { filesBelow, optionsFor, startHub } from './helpers.ts';

const good = {
  repo: ['org/name', 'microsoft/swin-tiny-patch4-window7-224', 'gpt2', 'a/b', 'A_1/b.c', 'x/1.0'],
  path: [
    'config.json',
    'a/b/c.safetensors',
    'model-00001-of-00002.safetensors',
    '.gitattributes',
    'ä ö.bin',
    'a+b#c?'.slice(0, 5),
  ],
  revision: ['main', 'v1.0', 'refs/pr/1', 'c0ffee'.padEnd(40, '0'), 'feature/x-y_z'],
};

const steps = [
  '..',
  '.',
  '',
  '%2e%2e',
  '%2E%2e',
  '%2f',
  '%5c',
  '%00',
  '\\',
  '..\\..',
  '\0',
  'a\0b',
  'C:',
  'C:\\x',
  '\\\\host\\x',
  'con',
  'NUL',
  'Aux.txt',
  'com1',
  'LPT9.x',
  'COM¹',
  'a.',
  'a ',
  ' a',
  'x'.repeat(300),
  '\n',
  '\u202e',
  'a:b',
  'a*',
  '~',
  '?',
  '…'.repeat(100),
  'a|b',
];

const bad = {
  repo: [
    '',
    '/',
    'a/',
    '/a',
    'a/b/c',
    '../x',
    'a/..',
    './a',
    'a/.b',
    '-a/b',
    'a/b-',
    'a--b/c',
    'a..b/c',
    'a/b.git',
    'a b/c',
    'ä/b',
    'a\\b',
    'a/b\0',
    'a%2fb',
    'x'.repeat(97),
    'datasets/a/b',
    'https://x/y',
  ],
  path: [
    '',
    '/etc/passwd',
    '../x',
    'a/../b',
    'a//b',
    'a/',
    './a',
    ...steps.filter((s) => s !== '~'),
    `a/${'b/'.repeat(600)}c`,
  ],
  revision: [
    '',
    '..',
    'a/..',
    '/a',
    'a/',
    'a..b',
    'a b',
    'a~1',
    'a^',
    'HEAD@{1}',
    'a[',
    'x.lock',
    '.a',
    'a\\b',
    'a\0',
    '%2e%2e',
    'nul',
    'x'.repeat(256),
  ],
};

const checks = { repo: checkRepo, path: checkPath, revision: checkRevision };

describe.each(['repo', 'path', 'revision'] as const)('%s', (kind) => {
  test.each(good[kind])('%j is one', (name) => {
    expect(checks[kind](name)).toBe(name);
  });

  test.each(bad[kind])('%j is none', (name) => {
    expect(() => checks[kind](name)).toThrow(HubNameError);
  });

  test('what is no string is none', () => {
    for (const value of [undefined, null, 3, {}, ['a/b']]) {
      expect(() => checks[kind](value as string)).toThrow(HubNameError);
    }
  });
});

test('a model id is taken apart', () => {
  expect(parseModelId('a/b')).toEqual({ repo: 'a/b', revision: 'main' });
  expect(parseModelId('a/b@refs/pr/1')).toEqual({ repo: 'a/b', revision: 'refs/pr/1' });
  for (const id of ['a/b@', '@main', 'a/b@x@y', '', undefined as never]) {
    expect(() => parseModelId(id)).toThrow(HubNameError);
  }
});

const hostile = fc
  .array(
    fc.oneof(
      fc.constantFrom(...steps),
      fc.constantFrom('a', 'b.json', 'c-d'),
      fc.string({ unit: 'binary', maxLength: 12 }),
    ),
    { minLength: 1, maxLength: 6 },
  )
  .chain((parts) => fc.constantFrom('/', '\\', '//', '').map((between) => parts.join(between)));

test('nothing leads out of the folder of the repository, on any system', async () => {
  const settings: HubSettings = await settingsOf({ cacheDir: '/cache', endpoint: 'http://h', token: false });
  fc.assert(
    fc.property(
      fc.oneof(hostile, fc.constantFrom(...good.repo)),
      hostile,
      fc.oneof(hostile, fc.constantFrom('main')),
      (repo, path, revision) => {
        if (!passes(checkRepo, repo)) return;
        const cache = repoCache(settings, repo);
        expect(within('/cache', cache.folder)).toBe(true);
        expect(cache.folder.split(sep)).toHaveLength(3);
        if (passes(checkPath, path)) {
          expect(within(join(cache.folder, 'snapshots/abc'), cache.snapshot('abc', path))).toBe(true);
          expect(within(win32.resolve('D:/c/s'), win32.join('D:/c/s', path), win32)).toBe(true);
          const { pathname, search, hash } = new URL(addressOf(settings, { repo, path, revision: 'main' }));
          expect([decodeURIComponent(pathname), search, hash]).toEqual([
            `/${repo}/resolve/main/${path}`,
            '',
            '',
          ]);
        }
        if (passes(checkRevision, revision)) {
          expect(within(join(cache.folder, 'refs'), cache.ref(revision))).toBe(true);
          expect(within('D:\\c', win32.join('D:\\c', revision), win32)).toBe(true);
          const { pathname } = new URL(addressOf(settings, { repo, path: 'x', revision }));
          expect(pathname.split('/').slice(-3)).toEqual(['resolve', encodeURIComponent(revision), 'x']);
        }
      },
    ),
    { numRuns: 20_000 },
  );
});

function passes(check: (name: string) => string, name: string): boolean {
  try {
    return check(name) === name;
  } catch (error) {
    expect(error).toBeInstanceOf(HubNameError);
    expect((error as Error).message.length).toBeLessThan(500);
    return false;
  }
}

function within(
  folder: string,
  file: string,
  paths: { resolve: typeof resolve; relative: typeof relative } = { resolve, relative },
): boolean {
  const way = paths.relative(paths.resolve(folder), paths.resolve(file));
  return way !== '' && !/^\.\.([/\\]|$)/.test(way) && !/^([A-Za-z]:|[/\\])/.test(way);
}

test('bad names are refused before any request, and nothing is written', async () => {
  const hub = await startHub({ 'config.json': noise(10) });
  const options = optionsFor(hub);
  const fine = { repo: 'org/model', path: 'config.json', revision: 'main' };
  for (const kind of ['repo', 'path', 'revision'] as const) {
    for (const name of bad[kind]) {
      await expect(resolveFile({ ...options, ...fine, [kind]: name })).rejects.toThrow(HubNameError);
    }
  }
  expect(hub.seen).toEqual([]);
  expect(filesBelow(options.cacheDir)).toEqual([]);
});

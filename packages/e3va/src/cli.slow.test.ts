import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { token } from '../../hub/test/fake-hub.ts';
import { startHub } from '../../hub/test/helpers.ts';
import { writeObjects } from '../test/objects.ts';
import { shapeClasses, writeShapes } from '../test/shapes.ts';

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));
const cli = path('../dist/cli.js');
const cwd = mkdtempSync(join(tmpdir(), 'e3va-cli-'));

beforeAll(async () => {
  const built = spawnSync(process.execPath, [path('../../../scripts/build.mjs')], { encoding: 'utf8' });
  expect(built.status, built.stdout + built.stderr).toBe(0);
  await writeShapes(join(cwd, 'data'), 24, 64);
});
afterAll(() => rmSync(cwd, { recursive: true }));

interface Ended {
  code: number | null;
  out: string;
  err: string;
}

/** What the environment says besides. */
const variables: Record<string, string> = {};

function start(...args: string[]): { child: ChildProcess; ended: Promise<Ended> } {
  const env = { ...process.env, NO_COLOR: '1', E3VA_DEBUG: '', ...variables };
  const child = spawn(process.execPath, [cli, ...args], { cwd, env });
  const text = { out: '', err: '' };
  child.stdout.on('data', (chunk) => {
    text.out += chunk;
  });
  child.stderr.on('data', (chunk) => {
    text.err += chunk;
  });
  return { child, ended: new Promise((done) => child.on('close', (code) => done({ code, ...text }))) };
}

const run = (...args: string[]) => start(...args).ended;

const light = ['--backend', 'wasm', '--batch', '2', '--train.crop', '64,64', '--head.channels', '16'];

describe('e3va', () => {
  it('prints help and version', async () => {
    const { version } = JSON.parse(readFileSync(path('../package.json'), 'utf8'));
    expect(await run('--version')).toEqual({ code: 0, out: `${version}\n`, err: '' });
    expect((await run('--help')).out).toContain('e3va train|eval|predict|inspect|models|push|pull|data');
    expect((await run('train', '--help')).out).toContain('--resume=<RUN>');
  });

  it('learns shapes, scores and predicts them', async () => {
    const steps = ['--steps', '120', '--lr', '3e-3', '--train.evalEvery', '60'];
    const trained = await run('train', '--data', 'data', ...light, ...steps);
    expect(trained.code, trained.err).toBe(0);
    expect(trained.out).toMatch(
      /^done after 120 steps; best mIoU \d+\.\d\d % at step \d+\nreport: .*report\.html\n/,
    );
    expect(existsSync(join(cwd, 'runs', 'latest', 'report.html'))).toBe(true);

    const scored = await run('eval', '--run', 'runs/latest');
    expect(scored.code, scored.err).toBe(0);
    expect(scored.out).toMatch(/^6 images of .*data, split val\n/);
    const scores = JSON.parse(readFileSync(join(cwd, 'runs', 'latest', 'eval-val.json'), 'utf8'));
    expect(scores.classes.map((c: { name: string }) => c.name)).toEqual(shapeClasses);
    expect(scores.mIoU).toBeGreaterThan(0.6);

    const predicted = await run('predict', 'data/images/val/*.png', '--out', 'out', '--overlay');
    expect(predicted.code, predicted.err).toBe(0);
    const lines = predicted.out.trim().split('\n');
    expect(lines).toHaveLength(6 * 4 + 1); // what was found and three pictures each, and classes.json
    expect(lines[0]).toMatch(/^data\/images\/val\/scene-\d+\.png: .*\d %/);
    expect(readdirSync(join(cwd, 'out'))).toHaveLength(19); // and classes.json
  });

  it('saves on Ctrl-C, ends with code 130, and goes on', async () => {
    const { child, ended } = start(
      'train',
      '--data',
      'data',
      ...light,
      '--steps',
      '400',
      '--train.logEvery',
      '1',
      '--out',
      'cut',
    );
    child.stderr!.on('data', (chunk) => {
      if (String(chunk).startsWith('step 3/')) child.kill('SIGINT');
    });
    const cut = await ended;
    expect(cut.code, cut.err).toBe(130);
    const step = Number(/interrupted and saved after (\d+) steps/.exec(cut.out)![1]);
    expect(step).toBeGreaterThanOrEqual(3);
    expect(step).toBeLessThan(400);
    const resumed = await run('train', '--resume', 'cut', '--steps', String(step + 2));
    expect(resumed.code, resumed.err).toBe(0);
    expect(resumed.out).toContain(`done after ${step + 2} steps`);
  });

  it('checks data with boxes, trains a detector on them, scores it and finds objects with it', async () => {
    await writeObjects(join(cwd, 'objects'), 6);
    const checked = await run('data', 'check', 'objects', '--out', 'sheet.png', '--count', '4');
    expect(checked.code, checked.err).toBe(0);
    expect(checked.out).toContain('0 errors, 0 warnings');
    expect(checked.out).toMatch(/train: 6 images \(1 empty\), 9 objects: disc \d/);
    expect(existsSync(join(cwd, 'sheet.png'))).toBe(true);

    const flags = ['--backend', 'wasm', '--steps', '60', '--lr', '3e-3', '--train.shortSide', '96'];
    const head = ['--head.channels', '16', '--train.flip', '0', '--train.evalEvery', '60'];
    const trained = await run('train', '--task', 'detection', '--data', 'objects', ...flags, ...head);
    expect(trained.code, trained.err).toBe(0);
    expect(trained.out).toMatch(/^done after 60 steps; best box AP \d+\.\d\d % at step 60\n/);

    const scored = await run('eval', '--split', 'train');
    expect(scored.code, scored.err).toBe(0);
    const scores = JSON.parse(readFileSync(join(cwd, 'runs', 'latest', 'eval-train.json'), 'utf8'));
    expect(scores['box AP50']).toBeGreaterThan(0.5);

    for (const [format, file] of [
      ['coco', 'results.json'],
      ['yolo', 'scene-0.txt'],
    ] as const) {
      const predicted = await run('predict', 'objects/val', '--out', 'found', '--format', format);
      expect(predicted.code, predicted.err).toBe(0);
      expect(predicted.out).toContain(file);
      expect(existsSync(join(cwd, 'found', file))).toBe(true);
    }
    expect((await run('predict', 'objects/val', '--format', 'xml')).err).toMatch(/unknown --format/);
    expect((await run('data', 'check', 'nowhere')).code).toBe(1);
  });

  it('predicts with a model of the hub, goes on from it, and publishes what came out', async () => {
    const folder = path('../test/fixtures/upernet');
    const hub = await startHub({
      'config.json': readFileSync(join(folder, 'config.json')),
      'model.safetensors': readFileSync(join(folder, 'model.safetensors')),
    });
    Object.assign(variables, { HF_ENDPOINT: hub.endpoint, HF_HOME: join(cwd, 'hub'), HF_TOKEN: token });
    const predicted = await run(
      'predict',
      '--model',
      'org/model',
      'data/images/val/scene-003.png',
      '--backend',
      'wasm',
    );
    expect(predicted.code, predicted.err).toBe(0);
    expect(predicted.out).toMatch(/^data\/images\/val\/scene-003.png: .*(wall|sky|floor)/);
    expect(predicted.err).toContain('downloaded model.safetensors');
    const downloads = hub.downloads().length;

    const trained = await run(
      'train',
      '--model',
      'org/model',
      '--data',
      'data',
      ...light.slice(0, 6),
      '--steps',
      '2',
    );
    expect(trained.code, trained.err).toBe(0);
    expect(hub.downloads().length).toBe(downloads); // from the cache
    const pushed = await run('push', 'org/model', '--license', 'mit');
    expect(pushed).toMatchObject({ code: 0, out: `${hub.endpoint}/org/model\n` });
    expect(hub.pushed.commits.length).toBeGreaterThan(2);
    for (const name of Object.keys(variables)) delete variables[name];
  });

  it('lists the pretrained models', async () => {
    const { code, out } = await run('models');
    expect(code).toBe(0);
    expect(out).toMatch(/^name +parameters +download +licence .*\nswin-nano +2\.7 M +none/);
    expect(out).toMatch(/upernet-swin-tiny +59\.9 M +240 MB +MIT +ADE20K +150 +mIoU 44\.41/);
  });

  it('inspects a recipe', async () => {
    const { code, out, err } = await run(
      'inspect',
      '--rank',
      '8',
      '--train.crop',
      '64,64',
      '--backend',
      'wasm',
    );
    expect(code, err).toBe(0);
    expect(out).toContain('Trainable params: 62,976 (2.30 %)');
    expect(out).toMatch(/norm3 +256 channels, stride 32/);
    expect(out).toMatch(/One training step of one image of 64x64 on wasm: \d+ MB/);
  });

  it('prints errors as their message alone, with code 1', async () => {
    writeFileSync(join(cwd, 'bad.yaml'), 'train:\n  stpes: 3\n');
    const cases: [string[], RegExp][] = [
      [
        ['trian'],
        /^error: unknown command trian\n {2}expected: train \| eval \| predict \| inspect \| models \| push \| pull \| data\n {2}to do: did you mean e3va train\?\n$/,
      ],
      [['train', '--stepz', '3'], /^error: unknown flag --stepz\n {2}to do: did you mean --steps\?\n$/],
      [['train', '--data'], /^error: --data has no value/],
      [
        ['train', '--config', 'bad.yaml'],
        /^error: unknown recipe key train\.stpes \(bad\.yaml, line 2\)[\s\S]*did you mean train\.steps\?\n$/,
      ],
      [['train', '--data', 'nowhere'], /^error: there is no folder nowhere/],
      [['train', '--resume', 'nowhere'], /^error: nowhere is no run folder/],
      [['predict'], /^error: no photo given/],
      [['predict', 'x.jpg', '--model', './nowhere.pth'], /^error: there is no such file, folder or model/],
      [['predict', 'x.jpg', '--model', 'swin-tiny'], /^error: swin-tiny holds neither a segmenter nor/],
      [['predict', 'x.jpg', '--model', 'a/b', '--run', 'c'], /^error: --run and --model name two models/],
      [['push'], /^error: no repository given/],
      [['push', 'name'], /^error: not a repository to push to/],
      [['pull'], /^error: no model given/],
      [['predict', 'x.jpg', '--run', 'nowhere'], /^error: nowhere is no run folder/],
      [['train', '--data', 'data', '--backend', 'gpu'], /^error: wrong value for recipe key backend/],
    ];
    for (const [args, text] of cases) {
      const { code, out, err } = await run(...args);
      expect({ code, out, stack: /\n +at /.test(err) }, args.join(' ')).toEqual({
        code: 1,
        out: '',
        stack: false,
      });
      expect(err).toMatch(text);
    }
    expect((await run('train', '--data', 'nowhere', '--debug')).err).toMatch(/\n +at /);
  });
});

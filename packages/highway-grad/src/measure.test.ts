import * as tf from '@tensorflow/tfjs-core';
import { expect, test, vi } from 'vitest';
import { describeOnBackends } from '../test/backends.ts';
import { measure } from './measure.ts';
import { openResidentMeter } from './resident-memory.ts';

const kilo = 1000;
const ownMethods = () => ['trackTensor', 'removeDataId'].filter((name) => Object.hasOwn(tf.engine(), name));

describeOnBackends('measure', (backend) => {
  test('every buffer counts once, with the bytes of its type', async () => {
    const x = tf.ones([kilo]);
    const { numBytes } = tf.memory();
    const m = await measure(() =>
      tf.tidy(() => {
        const y = tf.add(x, x); // 4 kB
        const views = [tf.reshape(y, [10, 100]), tf.expandDims(y, 0), tf.reshape(x, [kilo, 1])];
        const mask = tf.zeros([kilo], 'bool'); // 1 kB
        const counts = tf.ones([kilo], 'int32'); // 4 kB
        return [views.length, mask.size, counts.size];
      }),
    );
    expect(m.result).toEqual([3, kilo, kilo]);
    expect(m.growthBytes).toBe(9 * kilo);
    expect(m.startBytes).toBe(numBytes);
    expect(m.peakBytes).toBe(numBytes + m.growthBytes);
    expect(m.keptBytes).toBe(0);
    expect(m.tensors.after).toBe(m.tensors.before);
    expect(m.backend).toBe(backend);
    x.dispose();
  });

  test('references that the tape saves count once', async () => {
    const x = tf.ones([kilo]);
    const m = await measure(() => {
      const dx = tf.grad((x) => tf.mul(tf.square(x), x))(x);
      dx.dispose();
      return tf.memory().numBytes;
    });
    // wasm without the training kernels copies what is saved: those are buffers of their own
    const most = backend === 'wasm' ? 60 : 36;
    expect(m.growthBytes).toBeGreaterThanOrEqual(8 * kilo);
    expect(m.growthBytes).toBeLessThanOrEqual(most * kilo);
    expect(m.keptBytes).toBe(0);
    x.dispose();
  });

  test('what dies during the run makes room; what is kept is told', async () => {
    const x = tf.ones([kilo]);
    const m = await measure(() => {
      x.dispose();
      return tf.zeros([500]);
    });
    expect(m.growthBytes).toBe(0);
    expect(m.keptBytes).toBe(-2 * kilo);
    expect(m.tensors.after - m.tensors.before).toBe(0);
    m.result.dispose();
  });

  test('a clone dies without freeing the buffer', async () => {
    const x = tf.ones([kilo]);
    const m = await measure(() => {
      const view = tf.reshape(x, [10, 100]);
      view.dispose();
    });
    expect([m.growthBytes, m.keptBytes]).toEqual([0, 0]);
    x.dispose();
  });

  test('asynchronous steps, and the time until they are done', async () => {
    const m = await measure(async () => {
      const y = tf.ones([kilo]);
      await new Promise((done) => setTimeout(done, 25));
      y.dispose();
      return 'done';
    });
    expect(m.result).toBe('done');
    expect(m.growthBytes).toBe(4 * kilo);
    expect(m.milliseconds).toBeGreaterThan(20);
  });

  test('nested and overlapping measurements each count what happens while they run', async () => {
    const inner = () => tf.tidy(() => tf.ones([kilo]).size);
    const outer = await measure(async () => {
      const own = tf.ones([kilo]);
      const { growthBytes } = await measure(inner);
      own.dispose();
      return growthBytes;
    });
    expect([outer.result, outer.growthBytes]).toEqual([4 * kilo, 8 * kilo]);

    const steps: (() => void)[] = [];
    const first = measure(() => new Promise<void>((done) => steps.push(done)));
    const second = measure(() => new Promise<void>((done) => steps.push(done)));
    const x = tf.ones([kilo]);
    steps[0]!();
    expect((await first).growthBytes).toBe(4 * kilo);
    const y = tf.ones([kilo]);
    steps[1]!();
    expect((await second).growthBytes).toBe(8 * kilo);
    tf.dispose([x, y]);
    expect(ownMethods()).toEqual([]);
  });

  test('the engine is left as it was, also after an error', async () => {
    await expect(measure(() => Promise.reject(new Error('step')))).rejects.toThrow('step');
    expect(ownMethods()).toEqual([]);
    const engine = tf.engine() as unknown as { trackTensor(...args: unknown[]): void };
    const original = engine.trackTensor;
    const somebody = vi.fn((...args: unknown[]) => original.apply(engine, args));
    engine.trackTensor = somebody;
    await measure(() => tf.tidy(() => tf.ones([4]).size));
    expect(engine.trackTensor).toBe(somebody);
    expect(somebody).toHaveBeenCalled();
    delete (engine as Partial<typeof engine>).trackTensor;
    expect(engine.trackTensor).toBe(original);
  });

  test('warm-up runs are not counted and leave no tensors', async () => {
    const { numTensors } = tf.memory();
    let runs = 0;
    const m = await measure(
      () => {
        runs++;
        return [tf.ones([kilo])];
      },
      { warmUps: 2 },
    );
    expect(runs).toBe(3);
    expect(m.tensors).toEqual({ before: numTensors, after: numTensors + 1 });
    tf.dispose(m.result);
  });

  test('resident memory sees a large buffer', async () => {
    const megabytes = 64;
    const m = await measure(() => {
      const bytes = new Uint8Array(megabytes * 2 ** 20).fill(1);
      return bytes[bytes.length - 1];
    });
    expect(m.result).toBe(1);
    expect(m.residentBytes).toBeGreaterThan((megabytes - 8) * 2 ** 20);
  });
});

test('without a process, as in a browser, resident memory is unknown', () => {
  const { process } = globalThis;
  try {
    (globalThis as { process?: unknown }).process = undefined;
    expect(openResidentMeter()).toBeUndefined();
  } finally {
    globalThis.process = process;
  }
});

test('where the high-water mark cannot be reset, the highest value of the process counts', () => {
  const { process } = globalThis;
  try {
    (globalThis as { process?: unknown }).process = {
      memoryUsage: { rss: () => 1000 },
      resourceUsage: () => ({ maxRSS: 3 }),
    };
    expect(openResidentMeter()?.growth()).toBe(3 * 1024 - 1000);
  } finally {
    globalThis.process = process;
  }
});

import * as tf from '@tensorflow/tfjs-core';
import * as layers from '@tensorflow/tfjs-layers';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { describeOnBackends } from '../test/backends.ts';
import { random } from '../test/numbers.ts';
import { E3vaError } from './errors.ts';
import { offTape } from './off-tape.ts';

/** The engine's nesting of kernels, gradients and scopes: all back to where they were after a call. */
function engineState() {
  const { kernelDepth, gradientDepth, scopeStack } = (
    tf.engine() as unknown as { state: { kernelDepth: number; gradientDepth: number; scopeStack: unknown[] } }
  ).state;
  return { kernelDepth, gradientDepth, scopes: scopeStack.length, tensors: tf.memory().numTensors };
}

/** A variable that alone holds its value. */
function variable(value: tf.Tensor): tf.Variable {
  const v = tf.variable(value);
  value.dispose();
  return v;
}

/** A layer whose kernel is read off the tape; a frozen dense layer. */
class OffTapeDense extends layers.layers.Layer {
  static className = 'OffTapeDense';
  kernel!: layers.LayerVariable;

  override build(): void {
    this.kernel = this.addWeight('kernel', [4, 4], 'float32', layers.initializers.identity({ gain: 2 }));
  }

  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    const x = Array.isArray(inputs) ? inputs[0]! : inputs;
    return offTape(x, (x) => tf.matMul(x, this.kernel.read()));
  }
}

describeOnBackends('offTape', () => {
  let before: ReturnType<typeof engineState>;
  beforeEach(() => {
    before = engineState();
  });
  afterEach(() => {
    tf.disposeVariables();
    expect(engineState()).toEqual(before);
  });

  test('the gradient stops exactly inside variableGrads', () => {
    const w = variable(tf.scalar(3));
    const { value, grads } = tf.variableGrads(
      () =>
        tf.add(
          tf.mul(
            w,
            offTape(w, (w) => tf.mul(w, 1)),
          ),
          tf.mul(w, 10),
        ) as tf.Scalar,
    );
    expect(value.dataSync()[0]).toBe(39);
    expect(grads[w.name]!.dataSync()[0]).toBe(13);
    tf.dispose([value, grads]);
    w.dispose();
  });

  test('a variable that is read inside only gets no gradient, one that is read outside gets its own', () => {
    const [inside, outside] = [variable(tf.scalar(3)), variable(tf.scalar(5))];
    const frozen = (x: tf.Tensor) => offTape(x, (x) => tf.mul(x, inside));
    const { value, grads } = tf.variableGrads(() => tf.mul(frozen(tf.scalar(2)), outside) as tf.Scalar);
    expect(Object.keys(grads)).toEqual([outside.name]);
    expect(grads[outside.name]!.dataSync()[0]).toBe(6);
    tf.dispose([value, grads, inside, outside]);
  });

  test('operations without a gradient do no harm inside', () => {
    const w = variable(random([4, 5]));
    const { value, grads } = tf.variableGrads(() => {
      const mask = offTape(w, (w) => tf.cast(tf.greater(w, tf.min(tf.topk(w, 2).values)), 'float32'));
      return tf.sum(tf.mul(w, mask)) as tf.Scalar;
    });
    const ones = grads[w.name]!.dataSync();
    expect([...ones].every((v) => v === 0 || v === 1)).toBe(true);
    expect(ones.some((v) => v === 1)).toBe(true);
    tf.dispose([value, grads, w]);
  });

  test('nothing of it is kept until the backward pass', () => {
    const w = variable(tf.scalar(2));
    let during = 0;
    const { value, grads } = tf.variableGrads(() => {
      const start = tf.memory().numTensors;
      const y = offTape(w, (w) => {
        let y: tf.Tensor = w;
        for (let i = 0; i < 20; i++) y = tf.square(tf.sin(y));
        return y;
      });
      during = tf.memory().numTensors - start;
      return tf.mul(y, w) as tf.Scalar;
    });
    expect(during).toBe(1);
    tf.dispose([value, grads, w]);
  });

  test('a loop of minimize steps trains what is outside and leaks nothing', () => {
    const frozen = variable(random([3, 4], 1));
    const head = variable(tf.zeros([4, 1]));
    const [x, y] = [random([8, 3], 2), random([8, 1], 3)];
    const optimizer = tf.train.sgd(0.3);
    const start = frozen.dataSync().slice();
    const loss = () =>
      tf.losses.meanSquaredError(
        y,
        tf.matMul(
          offTape(x, (x) => tf.matMul(x, frozen)),
          head,
        ),
      ) as tf.Scalar;
    const losses: number[] = [];
    const counts: number[] = [];
    for (let i = 0; i < 20; i++) {
      const value = optimizer.minimize(loss, true)!;
      losses.push(value.dataSync()[0]!);
      value.dispose();
      counts.push(tf.memory().numTensors);
    }
    expect(losses[19]).toBeLessThan(losses[0]! * 0.9);
    expect(frozen.dataSync()).toEqual(start);
    expect(new Set(counts.slice(1)).size).toBe(1);
    optimizer.dispose();
    tf.dispose([frozen, head, x, y]);
  });

  test('LayersModel.fit trains the layers after it, and only those', async () => {
    const input = layers.input({ shape: [4] });
    const first = new OffTapeDense({ name: 'off_tape' });
    const last = layers.layers.dense({ units: 1, name: 'last' });
    const output = last.apply(first.apply(input) as layers.SymbolicTensor) as layers.SymbolicTensor;
    const model = layers.model({ inputs: input, outputs: output });
    const optimizer = tf.train.sgd(0.1);
    model.compile({ optimizer, loss: 'meanSquaredError' });
    const [x, y] = [random([8, 4], 2), random([8, 1], 3)];
    const kernel = () => first.getWeights()[0]!.dataSync().slice();
    const [frozenStart, lastStart] = [kernel(), last.getWeights()[0]!.dataSync().slice()];
    const options = { epochs: 3, batchSize: 4, verbose: 0, shuffle: false };
    const { history } = await model.fit(x, y, options);
    const tensors = tf.memory().numTensors;
    await model.fit(x, y, options);
    expect(tf.memory().numTensors).toBe(tensors);
    expect(history.loss![2]).toBeLessThan(history.loss![0] as number);
    expect(kernel()).toEqual(frozenStart);
    expect(last.getWeights()[0]!.dataSync()).not.toEqual(lastStart);
    model.dispose();
    optimizer.dispose();
    tf.dispose([x, y]);
  });

  test('several inputs and outputs, in order; one tensor stays one tensor, a list stays a list', () => {
    const [a, b] = [tf.scalar(2), tf.scalar(5)];
    const list = offTape([a, b], (a, b) => [tf.add(a!, b!), tf.sub(a!, b!), tf.mul(a!, b!)]);
    expect(list.map((t) => t.dataSync()[0])).toEqual([7, -3, 10]);
    const one = offTape([a, b], (a, b) => [tf.add(a!, b!)]);
    expect(one).toHaveLength(1);
    expect(offTape(a, () => [])).toEqual([]);
    const single = offTape(a, (a) => tf.square(a));
    expect(single.dataSync()[0]).toBe(4);
    tf.dispose([a, b, list, one, single]);
  });

  test('it nests, on and off the tape', () => {
    const w = variable(tf.scalar(3));
    const { value, grads } = tf.variableGrads(() => {
      const y = offTape(w, (w) =>
        tf.mul(
          offTape(w, (w) => tf.square(w)),
          w,
        ),
      );
      return tf.mul(y, w) as tf.Scalar;
    });
    expect(value.dataSync()[0]).toBe(81);
    expect(grads[w.name]!.dataSync()[0]).toBe(27);
    tf.dispose([value, grads, w]);
  });

  test('no gradient can be taken inside: tfjs says so, and nothing is left behind', () => {
    const x = tf.scalar(3);
    const slope = () => offTape(x, (x) => tf.grad((x) => tf.square(x))(x));
    expect(slope).toThrow(/Cannot compute gradient/);
    x.dispose();
  });

  test('the caller owns the result, be it an input, a variable, a kept tensor, a view or twice the same', () => {
    const x = tf.tensor1d([1, 2]);
    const v = variable(tf.tensor1d([3, 4]));
    const kept = tf.keep(tf.tensor1d([5, 6]));
    const out = offTape(x, (x) => {
      const y = tf.add(x, 10);
      return [x, v, kept, tf.reshape(x, [2, 1]), y, y];
    });
    expect(out.map((t) => [...t.dataSync()])).toEqual([
      [1, 2],
      [3, 4],
      [5, 6],
      [1, 2],
      [11, 12],
      [11, 12],
    ]);
    tf.dispose(out);
    expect([x, v, kept].map((t) => [...t.dataSync()])).toEqual([
      [1, 2],
      [3, 4],
      [5, 6],
    ]);
    tf.dispose([x, kept, v]);
  });

  test('within tidy, the result goes with the scope', () => {
    const count = tf.memory().numTensors;
    tf.tidy(() => {
      offTape(tf.scalar(1), (x) => [tf.add(x, 1), tf.add(x, 2)]);
    });
    expect(tf.memory().numTensors).toBe(count);
  });

  test('an error inside leaves nothing behind, and the next gradient is right', () => {
    const w = variable(tf.scalar(3));
    const fail = () =>
      offTape(w, (w) => {
        tf.square(tf.add(w, 1));
        throw new Error('from inside');
      });
    const count = tf.memory().numTensors;
    expect(fail).toThrow('from inside');
    expect(() => tf.variableGrads(() => tf.mul(w, fail()) as tf.Scalar)).toThrow('from inside');
    expect(tf.memory().numTensors).toBe(count);
    const { value, grads } = tf.variableGrads(() => tf.square(w) as tf.Scalar);
    expect(grads[w.name]!.dataSync()[0]).toBe(6);
    tf.dispose([value, grads, w]);
  });

  test('an asynchronous function is named', () => {
    const x = tf.scalar(1);
    const wrong = (async () => tf.scalar(2)) as unknown as () => tf.Tensor;
    expect(() => offTape(x, wrong)).toThrow(E3vaError);
    expect(() => offTape(x, wrong)).toThrow(/received: a promise/);
    x.dispose();
  });
});

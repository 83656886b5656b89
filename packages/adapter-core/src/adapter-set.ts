import { E3vaError } from '@e3va/highway-grad';
import * as tf from '@tensorflow/tfjs-core';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import type { Method } from './methods/method.ts';
import { Variant, type WeightValues } from './variant.ts';

/** A name of an adapter is unknown, taken, or cannot be used. */
export class AdapterNameError extends E3vaError {}

/** Something that cannot be done because method `full` trains the base itself. */
export class BaseTrainedError extends E3vaError {}

/** A named adapter: values for the weights of a variant. */
interface NamedAdapter {
  name: string;
  variant: Variant;
  /** The values while other ones stand in the variant's weights; else null. */
  stored: WeightValues | null;
}

/**
 * The named adapters of one base. Adapters of one method share its layers, and of these exactly one set of values stands
 * in the weights at a time; the others are stored. Swapping moves references, not numbers.
 */
export class AdapterSet {
  private readonly base: LayersModel;
  private readonly adapters = new Map<string, NamedAdapter>();
  /** Whose values stand in the weights of each variant; null if the method is turned off there. */
  private readonly shown = new Map<Variant, NamedAdapter | null>();
  private current: NamedAdapter;
  private disabled = 0;

  constructor(base: LayersModel, name: string, method: Method) {
    this.base = base;
    checkName(name);
    const variant = new Variant(base, method);
    this.current = { name, variant, stored: null };
    this.adapters.set(name, this.current);
    this.shown.set(variant, this.current);
  }

  get names(): string[] {
    return [...this.adapters.keys()];
  }

  /** The active adapter. */
  get active(): { readonly name: string; readonly variant: Variant } {
    return this.current;
  }

  variantOf(name: string): Variant {
    return this.find(name).variant;
  }

  has(name: string): boolean {
    return this.adapters.has(name);
  }

  /** Adds a fresh adapter; builds nothing if an adapter of the same method and options is there already. */
  add(name: string, method: Method): void {
    checkName(name);
    if (this.adapters.has(name)) {
      throw new AdapterNameError({
        what: `an adapter '${name}' is there already`,
        expected: 'a name that is not taken',
        received: `'${name}' beside ${this.names.join(', ')}`,
        fix: `choose another name, or call deleteAdapter('${name}') first`,
      });
    }
    const known = [...this.shown.keys()].find((variant) => sameMethod(variant.method, method));
    if (known?.trainsBase || method.name === 'full') {
      throw new BaseTrainedError({
        what: "method 'full' trains the base itself: there can be no adapter beside it",
        fix: "use one of the other methods, which leave the base's weights as they are",
      });
    }
    const variant = known ?? new Variant(this.base, method);
    this.adapters.set(name, { name, variant, stored: variant.fresh() });
    if (!known) {
      this.shown.set(variant, null);
      variant.turnOff();
    }
  }

  activate(name: string): void {
    this.current = this.find(name);
    this.settle();
  }

  delete(name: string): void {
    const adapter = this.find(name);
    if (adapter === this.current) {
      throw new AdapterNameError({
        what: `adapter '${name}' is active and cannot be deleted`,
        fix:
          this.adapters.size > 1
            ? 'call setAdapter() with another one first'
            : 'add another one first, use disableAdapter(), or dispose()',
      });
    }
    if (adapter.stored) tf.dispose(adapter.stored);
    this.adapters.delete(name);
    const { variant } = adapter;
    if ([...this.adapters.values()].some((other) => other.variant === variant)) {
      if (this.shown.get(variant) === adapter) this.shown.set(variant, null);
      return;
    }
    this.shown.delete(variant);
    variant.dispose();
  }

  /** Runs `fn` with every adapter off; the active one is back when it ends, or when its promise settles. */
  whileDisabled<T>(fn: () => T): T {
    if (this.current.variant.trainsBase) {
      throw new BaseTrainedError({
        what: "method 'full' trains the base itself: it cannot be switched off",
        fix: 'keep a second copy of the base, or use one of the other methods',
      });
    }
    const back = () => {
      this.disabled--;
      this.settle();
    };
    this.disabled++;
    this.settle();
    let result: T;
    try {
      result = fn();
    } catch (error) {
      back();
      throw error;
    }
    if (!(result instanceof Promise)) {
      back();
      return result;
    }
    return result.finally(back) as T;
  }

  /** Runs `fn` with the values of an adapter in its variant's weights, whichever is active. */
  with<T>(name: string, fn: (variant: Variant) => T): T {
    const adapter = this.find(name);
    this.show(adapter.variant, adapter);
    return fn(adapter.variant);
  }

  /** Puts the active adapter back into its variant's weights, or turns it off while adapters are disabled. */
  settle(): void {
    this.show(this.current.variant, this.disabled > 0 ? null : this.current);
  }

  /** The present values of an adapter; they are only to be read. */
  values(name: string): readonly tf.Tensor[] {
    const { variant, stored } = this.find(name);
    return stored ?? variant.weights.map((w) => w.read());
  }

  /** Gives an adapter other values; the tensors stay the caller's. */
  write(name: string, values: readonly tf.Tensor[]): void {
    const adapter = this.find(name);
    if (!adapter.stored) {
      adapter.variant.assign(values);
      return;
    }
    tf.dispose(adapter.stored);
    adapter.stored = values.map((t) => tf.keep(tf.clone(t)));
  }

  dispose(): void {
    for (const { stored } of this.adapters.values()) if (stored) tf.dispose(stored);
    for (const variant of this.shown.keys()) variant.dispose();
  }

  private show(variant: Variant, wanted: NamedAdapter | null): void {
    const there = this.shown.get(variant) ?? null;
    if (there === wanted) return;
    if (there) there.stored = variant.values();
    if (wanted) {
      variant.assign(wanted.stored!);
      tf.dispose(wanted.stored!);
      wanted.stored = null;
    } else variant.turnOff();
    this.shown.set(variant, wanted);
  }

  private find(name: string): NamedAdapter {
    const adapter = this.adapters.get(name);
    if (adapter) return adapter;
    throw new AdapterNameError({
      what: `there is no adapter '${name}'`,
      expected: this.names.map((known) => `'${known}'`).join(' or '),
      received: `'${name}'`,
      fix: 'add it with addAdapter() or loadAdapter()',
    });
  }
}

function checkName(name: string): void {
  if (typeof name === 'string' && /^[\w][\w .-]*$/.test(name)) return;
  throw new AdapterNameError({
    what: 'this cannot be the name of an adapter',
    expected: 'letters, digits, spaces, and the signs _ . -, beginning with a letter or a digit',
    received: String(name),
  });
}

/** Whether two methods make the same layers: a pattern that is a function equals nothing but itself. */
function sameMethod(a: Method, b: Method): boolean {
  if (a === b) return true;
  const text = JSON.stringify([a.name, a.config]);
  return text === JSON.stringify([b.name, b.config]) && !text.includes('(predicate)');
}

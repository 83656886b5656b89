import cliProgress from 'cli-progress';

/** What is shown of a step. */
export interface ProgressState {
  /** Steps done. */
  step: number;
  /** Mean loss of the last steps. */
  loss: number;
  /** Images trained on in a second. */
  imagesPerSecond: number;
  /** Resident memory of the process, in bytes. */
  rss: number;
}

/** Shows how far a training run is. */
export interface Progress {
  /** Begins, with `done` of `total` steps done already. */
  start(total: number, done: number): void;
  /** Shows a step. */
  update(state: ProgressState): void;
  /** Prints a line, above the bar if there is one. */
  line(text: string): void;
  /** Ends. */
  stop(): void;
}

/** The part of a stream that {@link createProgress} writes to. */
export interface ProgressStream {
  /** Takes text. */
  write(text: string): unknown;
  isTTY?: boolean;
}

/**
 * A progress bar with the time left, loss, images per second and memory on a terminal; elsewhere one plain line for each
 * {@link Progress.update}.
 */
export function createProgress(stream: ProgressStream & NodeJS.WritableStream = process.stderr): Progress {
  return stream.isTTY ? barProgress(stream) : lineProgress(stream);
}

/** Shows nothing; for tests and for programs that listen to events. */
export const silentProgress: Progress = { start: () => {}, update: () => {}, line: () => {}, stop: () => {} };

function barProgress(stream: NodeJS.WritableStream): Progress {
  const bar = new cliProgress.MultiBar({
    format: '{bar} {value}/{total} | {left} left | loss {loss} | {speed} images/s | {memory}',
    barCompleteChar: '█',
    barIncompleteChar: '░',
    barsize: 24,
    hideCursor: true,
    gracefulExit: false,
    stopOnComplete: false,
    stream,
  });
  const clock = timeLeft();
  let line: cliProgress.SingleBar | undefined;
  return {
    start: (total, done) => {
      clock.start(total, done);
      line = bar.create(total, done, { left: '?', loss: '-', speed: '-', memory: '-' });
    },
    update: (state) => {
      line?.update(state.step, { left: clock.left(state.step), ...shown(state) });
    },
    line: (text) => {
      bar.log(`${text}\n`);
      bar.update();
    },
    stop: () => bar.stop(),
  };
}

function lineProgress(stream: ProgressStream): Progress {
  const clock = timeLeft();
  let total = 0;
  return {
    start: (steps, done) => {
      total = steps;
      clock.start(steps, done);
    },
    update: (state) => {
      const { loss, speed, memory } = shown(state);
      const left = clock.left(state.step);
      stream.write(`step ${state.step}/${total}  loss ${loss}  ${speed} images/s  ${memory}  ${left} left\n`);
    },
    line: (text) => {
      stream.write(`${text}\n`);
    },
    stop: () => {},
  };
}

function shown({ loss, imagesPerSecond, rss }: ProgressState): {
  loss: string;
  speed: string;
  memory: string;
} {
  const megabytes = Math.round(rss / 2 ** 20);
  return { loss: loss.toFixed(4), speed: imagesPerSecond.toFixed(2), memory: `${megabytes} MB` };
}

/** Estimates the time left from the mean time of the steps of this process. */
function timeLeft() {
  let [total, first, began] = [0, 0, 0];
  return {
    start: (steps: number, done: number) => {
      [total, first, began] = [steps, done, performance.now()];
    },
    left: (step: number) => {
      if (step <= first) return '?';
      return formatSeconds(((performance.now() - began) / 1000 / (step - first)) * (total - step));
    },
  };
}

/** Seconds as `42s`, `3m05s` or `2h07m`. */
export function formatSeconds(seconds: number): string {
  const s = Math.round(seconds);
  const two = (n: number) => String(n).padStart(2, '0');
  if (s < 60) return `${s}s`;
  if (s < 3600) return `${Math.floor(s / 60)}m${two(s % 60)}s`;
  return `${Math.floor(s / 3600)}h${two(Math.floor((s % 3600) / 60))}m`;
}

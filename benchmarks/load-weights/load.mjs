// One load in a process of its own: prints one line of JSON. Argument: the folder of the model.
import { readFileSync } from 'node:fs';
import { loadSwin } from '@e3va/swin';
import * as tf from '@tensorflow/tfjs-core';
import { useBackend } from 'e3va';

await useBackend('wasm');
tf.zeros([1]).dispose();
const before = process.memoryUsage.rss();
const start = performance.now();
const model = await loadSwin(process.argv[2], { outLevels: [3] });
const seconds = (performance.now() - start) / 1000; // every weight was written: nothing is left to be read later
const parameters = model.countParams();
const peak = Number(/VmHWM:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))[1]) * 1024;
console.log(JSON.stringify({ seconds, parameters, residentBytes: peak - before }));

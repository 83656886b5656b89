import seedrandom from 'seedrandom';

// Every test file draws the same random numbers at each run (initial weights, shuffles): a failure can be repeated.
Math.random = seedrandom.alea('e3va');

// The package exports nothing yet.
export {};

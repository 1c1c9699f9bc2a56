// Where the program of a worker is: beside this file, built like it.
import { fileURLToPath } from 'node:url';

export const workerProgram = fileURLToPath(new URL('worker.js', import.meta.url));

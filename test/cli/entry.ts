// The program as bin/outrigger.js starts it, from the sources.
import { main } from '../../src/cli/main.ts';

await main(process.argv.slice(2));

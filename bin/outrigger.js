#!/usr/bin/env node
// The command: everything is in src/cli (built to dist/cli).
import { main } from '../dist/cli/main.js';

await main(process.argv.slice(2));

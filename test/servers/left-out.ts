// Says which suites a plain `npm test` has left out: those of registries whose servers are not in every distribution.
import { registryTable } from './table.ts';

const included = new Set(['file', 'redis']);
const names = registryTable.map(({ name }) => name).filter((name) => !included.has(name));
console.log(
  `left out: tests on the servers of ${names.join(', ')}; run them with npm run test:servers`,
);

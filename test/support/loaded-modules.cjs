// Preloaded into a process: at its end, the names of Node's own modules that it has loaded go to a file.
const { writeFileSync } = require('node:fs');

process.on('exit', () => {
  const names = process.moduleLoadList.map((entry) => entry.replace(/^\w+ /, ''));
  writeFileSync(process.env.LOADED_MODULES_FILE, JSON.stringify(names));
});

// What is used of the package for upgrades; imported at the first upgrade. (A bundle gives a CommonJS package that is
// imported dynamically no names, so the dynamic import is of this file.)
export { createProxyServer } from 'http-proxy';

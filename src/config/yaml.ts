// What is used of the YAML parser; imported for a file that needs it. (A bundle gives a CommonJS package that is imported
// dynamically no names, so the dynamic import is of this file.)
export { LineCounter, parseDocument } from 'yaml';

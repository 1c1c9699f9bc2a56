// The YAML parser for kubeconfig files; imported for a registry that needs one. (A bundle gives a CommonJS package that is
// imported dynamically no names, so the dynamic import is of this file.)
export { parse } from 'yaml';

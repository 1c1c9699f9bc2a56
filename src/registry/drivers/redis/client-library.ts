// What is used of the client library; imported at the first connection, as it takes longer to load than all else at a start.
// (A bundle gives a CommonJS package that is imported dynamically no names, so the dynamic import is of this file.)
export { Redis } from 'ioredis';

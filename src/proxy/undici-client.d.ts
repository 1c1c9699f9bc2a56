// The type of undici's Client on its own: loading it costs a third of loading the whole package.
declare module 'undici/lib/dispatcher/client.js' {
  import { Client } from 'undici';
  export default Client;
}

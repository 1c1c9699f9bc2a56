// The DNS message library. It is CommonJS: only a static import gives its names, in the bundle too.
export {
  AUTHORITATIVE_ANSWER,
  RECURSION_DESIRED,
  TRUNCATED_RESPONSE,
  decode,
  encode,
  type Answer,
  type DecodedPacket,
  type OptAnswer,
  type Question,
} from 'dns-packet';

// Which of a cluster's hash slots a key is in.

/** A cluster divides all keys into so many slots. */
export const slotCount = 16_384;

/**
 * The slot of every key with the hash tag `{tag}`: CRC16 (polynomial 0x1021, from 0, high bit first) of the tag's UTF-8, modulo
 * the number of slots (Redis Cluster specification, "Key distribution model").
 */
export function slotOf(tag: string): number {
  let crc = 0;
  for (const byte of Buffer.from(tag)) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit++) {
      crc = (crc & 0x8000) === 0 ? crc << 1 : (crc << 1) ^ 0x1021;
    }
    crc &= 0xffff;
  }
  return crc % slotCount;
}

/** Payloads of publishers that run with `--compress`. */
import { gunzipSync } from 'node:zlib'

const MAGIC = [0x1f, 0x8b]
/** A bulk of ten thousand samples as JSON has about 2 MB; what unpacks to more is no payload but an attack or a mistake. */
export const MOST_UNPACKED_BYTES = 8 * 2 ** 20

export function isGzip(value: Uint8Array): boolean {
  return value[0] === MAGIC[0] && value[1] === MAGIC[1]
}

/** The content, or a sentence on what is wrong with it. */
export function unpack(value: Uint8Array): Buffer | string {
  try {
    return gunzipSync(value, { maxOutputLength: MOST_UNPACKED_BYTES })
  } catch (error) {
    const tooLarge = (error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE'
    return tooLarge ? `more than ${MOST_UNPACKED_BYTES} bytes unpacked` : (error as Error).message
  }
}

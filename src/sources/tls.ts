/** TLS of clients: what the configuration names, and what went wrong with it. */
import { readFileSync } from 'node:fs'
import { createSecureContext } from 'node:tls'
import type { TlsConfig } from '../config/security.ts'

export interface TlsOptions {
  ca?: Buffer
  cert?: Buffer
  key?: Buffer
  passphrase?: string
}

/** Reads the files that a configuration names. Throws naming the file and the key. `where` is the section, e.g. `source.tls`. */
export function openTls({ ca, cert, key, passphrase }: TlsConfig, where: string): TlsOptions {
  const options = {
    ...(ca === undefined ? {} : { ca: pem(ca, `${where}.ca`) }),
    ...(cert === undefined ? {} : { cert: pem(cert, `${where}.cert`) }),
    ...(key === undefined ? {} : { key: pem(key, `${where}.key`) }),
    ...(passphrase === undefined ? {} : { passphrase: passphrase.reveal() }),
  }
  try {
    createSecureContext(options)
  } catch (error) {
    const files = [ca, cert, key].filter((file) => file !== undefined).join(', ')
    throw new Error(`TLS can't use ${files} (config key ${where}): ${(error as Error).message}`)
  }
  return options
}

function pem(file: string, where: string): Buffer {
  let content: Buffer
  try {
    content = readFileSync(file)
  } catch (error) {
    throw new Error(`can't read ${file} (config key ${where}): ${(error as Error).message}`)
  }
  // A file without a certificate is otherwise taken as an empty list, and every broker is refused.
  if (!content.includes('-----BEGIN ')) throw new Error(`${file} holds no PEM block (config key ${where})`)
  return content
}

/** Codes of TLS that trying again does not mend: certificates that are not trusted, wrong, or not sent; no TLS at all. */
const TLS_CODE =
  /^(ERR_TLS_|ERR_SSL_|CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|HOSTNAME_MISMATCH|INVALID_CA|INVALID_PURPOSE|PATH_LENGTH_EXCEEDED)/

/** Node's word for a connection that ends before TLS is agreed upon: no TLS there, or a broker that is just going away. */
const CUT_SHORT = 'before secure TLS connection was established'
/** The name of an alert within OpenSSL's message. */
const ALERT = /alert ([a-z ]+):/

/** A message of TLS in words that lead to the key to mend. */
export function tlsWords(message: string): string {
  const [, alert] = ALERT.exec(message) ?? []
  if (alert !== undefined)
    return `the broker answers with the TLS alert "${alert}"; it wants a certificate (cert, key), or another one`
  if (message.includes(CUT_SHORT)) return `${message}; does the broker speak TLS there?`
  return message
}

/** Whether an error, or one within it, is about TLS and must be mended in the configuration. */
export function isTlsProblem(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  const { code, errors, cause } = error as Error & { code?: unknown; errors?: unknown[] }
  return (typeof code === 'string' && TLS_CODE.test(code)) || [...(errors ?? []), cause].some(isTlsProblem)
}

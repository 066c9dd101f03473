/** Encryption and authentication of every connection to a cluster, and what went wrong with them. */
import { readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { connect, createSecureContext } from 'node:tls'
import { AuthenticationError, type ConnectionOptions } from '@platformatic/kafka'
import type { SaslConfig, TlsConfig } from '../config/security.ts'

/** What clients are given; absent where the cluster asks for nothing. */
export type KafkaSecurity = Pick<ConnectionOptions, 'tls' | 'sasl'>

const MECHANISMS = {
  plain: 'PLAIN',
  'scram-sha-256': 'SCRAM-SHA-256',
  'scram-sha-512': 'SCRAM-SHA-512',
  oauthbearer: 'OAUTHBEARER',
} as const

/** Reads the files that a configuration names. Throws naming the file, and `key`, the section of the configuration. */
export function openSecurity(
  { tls, sasl }: { tls?: TlsConfig; sasl?: SaslConfig },
  key: string,
): KafkaSecurity {
  return {
    ...(tls === undefined ? {} : { tls: tlsOptions(tls, `${key}.tls`) }),
    ...(sasl === undefined ? {} : { sasl: saslOptions(sasl, `${key}.sasl`) }),
  }
}

function tlsOptions(
  { ca, cert, key, passphrase }: TlsConfig,
  where: string,
): NonNullable<KafkaSecurity['tls']> {
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

function saslOptions(
  { mechanism, username, password, token_file: tokenFile }: SaslConfig,
  where: string,
): NonNullable<KafkaSecurity['sasl']> {
  if (tokenFile !== undefined) {
    const token = async (): Promise<string> => {
      try {
        return (await readFile(tokenFile, 'utf8')).trim()
      } catch (error) {
        throw new AuthenticationError(
          `can't read ${tokenFile} (config key ${where}.token_file): ${(error as Error).message}`,
        )
      }
    }
    return { mechanism: MECHANISMS[mechanism], token, authBytesValidator: refuseInvalidToken }
  }
  // The configuration has been checked: both are there.
  return {
    mechanism: MECHANISMS[mechanism],
    username: username ?? '',
    password: () => password?.reveal() ?? '',
  }
}

/** A token that a broker does not take is answered, not refused: the reason comes as JSON where else nothing stands (RFC 7628). */
const refuseInvalidToken: NonNullable<NonNullable<KafkaSecurity['sasl']>['authBytesValidator']> = (
  answer,
  callback,
) => {
  if (answer.length === 0) callback(null, answer)
  else callback(new AuthenticationError(`the broker refuses the token: ${answer.toString('utf8')}`), answer)
}

/** Codes of TLS that trying again does not mend: certificates that are not trusted, wrong, or not sent; no TLS at all. */
const TLS_CODE =
  /^(ERR_TLS_|ERR_SSL_|CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|HOSTNAME_MISMATCH|INVALID_CA|INVALID_PURPOSE|PATH_LENGTH_EXCEEDED)/

/** The client library's word for a broker that answers in TLS what was asked in plain. */
const NO_TLS = 'Broker requires TLS.'
/** Node's word for a connection that ends before TLS is agreed upon: no TLS there, or a broker that is just going away. */
const CUT_SHORT = 'before secure TLS connection was established'
/** The name of an alert within OpenSSL's message. */
const ALERT = /alert ([a-z ]+):/

/** A message of TLS in words that lead to the key to mend. */
export function tlsWords(message: string): string {
  const [, alert] = ALERT.exec(message) ?? []
  if (alert !== undefined)
    return `the broker answers with the TLS alert "${alert}"; it wants a certificate (cert, key), or another one`
  if (message === NO_TLS) return 'the broker wants TLS, and this section is not set'
  if (message.includes(CUT_SHORT)) return `${message}; does the broker speak TLS there?`
  return message
}

/** The key, `tls` or `sasl`, that an error is about and that must be mended; null for errors that may pass. */
export function securityProblem(error: unknown): 'tls' | 'sasl' | null {
  if (!(error instanceof Error)) return null
  if (error instanceof AuthenticationError) return 'sasl'
  const { code, errors, cause, message } = error as Error & { code?: unknown; errors?: unknown[] }
  if (typeof code === 'string' && TLS_CODE.test(code)) return 'tls'
  if (message === NO_TLS) return 'tls'
  for (const inner of [...(errors ?? []), cause]) {
    const found = securityProblem(inner)
    if (found !== null) return found
  }
  return null
}

/** A broker that refuses a certificate says so right after the handshake, ms. */
const ALERT_MS = 1_000

/**
 * What a broker says to TLS: with version 1.3 it looks at the client's certificate only after the client takes the connection
 * as made, and its alert reaches no request. Resolves to the alert, or null where there is none.
 */
export async function tlsAlert(
  broker: string,
  tls: NonNullable<KafkaSecurity['tls']>,
): Promise<Error | null> {
  const { hostname, port } = new URL(`kafka://${broker}`)
  const socket = connect({ ...tls, host: hostname.replace(/^\[|\]$/g, ''), port: Number(port) })
  try {
    return await new Promise<Error | null>((resolve) => {
      socket.once('error', resolve)
      socket.once('close', () => resolve(null))
      socket.setTimeout(ALERT_MS, () => resolve(null))
    })
  } finally {
    socket.destroy()
  }
}

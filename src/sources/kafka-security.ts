/** Encryption and authentication of every connection to a cluster, and what went wrong with them. */
import { readFile } from 'node:fs/promises'
import { connect } from 'node:tls'
import { AuthenticationError, type ConnectionOptions } from '@platformatic/kafka'
import type { SaslConfig, TlsConfig } from '../config/security.ts'
import { isTlsProblem, openTls } from './tls.ts'

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
    ...(tls === undefined ? {} : { tls: openTls(tls, `${key}.tls`) }),
    ...(sasl === undefined ? {} : { sasl: saslOptions(sasl, `${key}.sasl`) }),
  }
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

/** The client library's word for a broker that answers in TLS what was asked in plain. */
const NO_TLS = 'Broker requires TLS.'

/** The key, `tls` or `sasl`, that an error is about and that must be mended; null for errors that may pass. */
export function securityProblem(error: unknown): 'tls' | 'sasl' | null {
  if (isTlsProblem(error)) return 'tls'
  for (let inner = error; inner instanceof Error; ) {
    if (inner instanceof AuthenticationError) return 'sasl'
    if (inner.message === NO_TLS) return 'tls'
    inner = (inner as Error & { errors?: unknown[] }).errors?.at(-1) ?? inner.cause
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

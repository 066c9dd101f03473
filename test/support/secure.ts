/** Listeners of the test broker that ask who calls, and what opens them. */
import { join } from 'node:path'

const TLS = join(import.meta.dirname, 'tls')
export const tlsFile = (name: string): string => join(TLS, name)

/** Passwords by user; SCRAM users are written when the broker's storage is formatted. */
export const USERS = { plain: 'plain-password', scram256: 'scram256-password', scram512: 'scram512-password' }

/** Arguments for formatting the storage. */
export const SCRAM_ARGUMENTS = [
  ['--add-scram', `SCRAM-SHA-256=[name=scram256,password=${USERS.scram256}]`],
  ['--add-scram', `SCRAM-SHA-512=[name=scram512,password=${USERS.scram512}]`],
].flat()

const SCRAM_MODULE = 'org.apache.kafka.common.security.scram.ScramLoginModule required;'

/** Lines for the listeners SASL (passwords and tokens, over TLS) and MTLS (certificates). */
export function secureProperties(): string {
  const listener = (name: string, lines: Record<string, string>): string =>
    Object.entries(lines)
      .map(([key, value]) => `listener.name.${name}.${key}=${value}\n`)
      .join('')
  const keystore = { 'ssl.keystore.type': 'PEM', 'ssl.keystore.location': tlsFile('broker-keystore.pem') }
  return (
    listener('sasl', {
      ...keystore,
      'sasl.enabled.mechanisms': 'PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER',
      'plain.sasl.jaas.config': `org.apache.kafka.common.security.plain.PlainLoginModule required user_plain="${USERS.plain}";`,
      'scram-sha-256.sasl.jaas.config': SCRAM_MODULE,
      'scram-sha-512.sasl.jaas.config': SCRAM_MODULE,
      // Takes any token that is not signed; its own login, which the broker demands, has one for itself.
      'oauthbearer.sasl.jaas.config':
        'org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="broker";',
    }) +
    listener('mtls', {
      ...keystore,
      'ssl.client.auth': 'required',
      'ssl.truststore.type': 'PEM',
      'ssl.truststore.location': tlsFile('ca.pem'),
    })
  )
}

/** A token as the broker's OAUTHBEARER takes it, or one that has expired. */
export function unsignedToken(lifetimeSeconds: number): string {
  const now = Math.floor(Date.now() / 1000)
  const part = (object: object): string => Buffer.from(JSON.stringify(object)).toString('base64url')
  return `${part({ alg: 'none' })}.${part({ sub: 'examon-dec', iat: now - 60, exp: now + lifetimeSeconds })}.`
}

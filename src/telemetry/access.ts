/** Who may look at the page and the metrics. */
import { createHash, timingSafeEqual } from 'node:crypto'
import type { Secret } from '../config/secret.ts'

export interface AccessOptions {
  /** With `password`: what a browser asks for (basic authentication, RFC 7617). */
  username?: string
  password?: Secret
  /** What Prometheus sends (bearer token, RFC 6750). */
  token?: Secret
}

/** Says whether a request with this `Authorization` header may pass. */
export type Access = (authorization: string | undefined) => boolean

/** Paths that stay open: orchestrators ask them without credentials, and they tell nothing of the nodes. */
export const OPEN_PATHS: ReadonlySet<string> = new Set(['/healthz', '/readyz'])

/** Null where everybody may pass. */
export function openAccess({ username, password, token }: AccessOptions): Access | null {
  const allowed: Buffer[] = []
  if (password !== undefined)
    allowed.push(digest(`Basic ${Buffer.from(`${username}:${password.reveal()}`).toString('base64')}`))
  if (token !== undefined) allowed.push(digest(`Bearer ${token.reveal()}`))
  if (allowed.length === 0) return null
  return (authorization) => {
    // The scheme's case is free.
    const [scheme = '', ...rest] = (authorization ?? '').split(' ')
    const given = digest(
      `${scheme.charAt(0).toUpperCase()}${scheme.slice(1).toLowerCase()} ${rest.join(' ')}`,
    )
    return allowed.some((one) => timingSafeEqual(one, given))
  }
}

/** Of one length, so that the comparison takes the same time whatever is wrong. */
function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}

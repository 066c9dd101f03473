import { readdir, readFile } from 'node:fs/promises'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { createServer } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { extname } from 'node:path'
import { promisify } from 'node:util'
import { constants, gzip } from 'node:zlib'
import type { HttpTls } from '../config/schema.ts'
import { openTls } from '../sources/tls.ts'
import { type Access, type AccessOptions, OPEN_PATHS, openAccess } from './access.ts'
import { EventStreams, MOST_STREAMS } from './events.ts'
import { errorText } from './logger.ts'
import type { Telemetry } from './telemetry.ts'

/** The page lies beside the compiled code as it does beside the sources. */
const PAGE = new URL('../status/page/', import.meta.url)
const PAGE_TYPES: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml; charset=utf-8',
}
const JSON_TYPE = 'application/json; charset=utf-8'

const HEADERS = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
    "base-uri 'none'; form-action 'none'; frame-ancestors 'self'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cache-control': 'no-cache',
  vary: 'accept-encoding',
}

/** Shorter answers than this, bytes, gain nothing from compression. */
const GZIP_FROM = 1400
/** How long a running request may hold up the end of the daemon. */
const CLOSE_MS = 1000

interface Answer {
  status: number
  type: string
  body: string | Buffer
  allow?: string
  authenticate?: string
}

const RELOAD_PATH = '/-/reload'
/** Makes browsers ask. */
const REALM = 'Basic realm="examon-dec", charset="UTF-8"'

const compress = promisify(gzip)

const json = (status: number, value: unknown): Answer => ({
  status,
  type: JSON_TYPE,
  body: `${JSON.stringify(value)}\n`,
})

/**
 * Serves `/metrics`, `/healthz`, `/readyz`, `/api/status[?after=CURSOR]`, `/api/events[?after=CURSOR]`,
 * `/api/nodes/NODE` and the status page.
 * Port 0 takes any free port; `url` names the real one. Rejects with the address and the configuration key to
 * mend when it can not listen there.
 */
export async function startHttp(
  options: {
    host: string
    port: number
    telemetry: Telemetry
    tls?: HttpTls
    /** Looks at configuration and model again; why they were refused, or null. */
    reload?: () => Promise<string | null>
  } & AccessOptions,
): Promise<{ url: string; close(): Promise<void> }> {
  const { host, port, telemetry, tls } = options
  const page = await readPage()
  const access = openAccess(options)
  const streams = new EventStreams(telemetry.status)
  const serve = (request: IncomingMessage, response: ServerResponse): void => {
    answer(request, page, telemetry, streams, access, options.reload)
      .catch((error: unknown) => json(500, { error: errorText(error) }))
      .then((a) =>
        a === 'stream'
          ? streams.open(request, response, HEADERS, parameter(request, 'after'))
          : send(request, response, a),
      )
      .catch(() => response.destroy())
  }
  const server = tls === undefined ? createServer(serve) : createSecureServer(openTls(tls, 'http.tls'), serve)
  await listen(server, host, port)
  const address = server.address() as AddressInfo // a TCP server that listens has one
  const name = address.family === 'IPv6' ? `[${address.address}]` : address.address
  return {
    url: `http${tls === undefined ? '' : 's'}://${name}:${address.port}/`,
    close: () =>
      new Promise((resolve) => {
        setTimeout(() => server.closeAllConnections(), CLOSE_MS).unref()
        streams.close()
        server.close(() => resolve())
      }),
  }
}

function unauthorised(): Answer {
  return { ...json(401, { error: 'name and password, or a token, are needed' }), authenticate: REALM }
}

async function answer(
  request: IncomingMessage,
  page: Map<string, Answer>,
  telemetry: Telemetry,
  streams: EventStreams,
  access: Access | null,
  reload: (() => Promise<string | null>) | undefined,
): Promise<Answer | 'stream'> {
  if (request.url === RELOAD_PATH && request.method === 'POST' && reload !== undefined) {
    // An order, so never from strangers.
    if (access === null) return json(403, { error: 'reload by HTTP needs http.token or http.password' })
    if (!access(request.headers.authorization)) return unauthorised()
    const refusal = await reload()
    return refusal === null ? json(200, { status: 'reloaded' }) : json(409, { error: refusal })
  }
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    return {
      ...json(405, { error: `${request.method} is not allowed, only GET and HEAD` }),
      allow: 'GET, HEAD',
    }
  }
  const [path = '/'] = (request.url ?? '/').split('?', 1)
  const { status } = telemetry
  if (access !== null && !OPEN_PATHS.has(path) && !access(request.headers.authorization)) {
    return unauthorised()
  }
  if (path === '/metrics') {
    const { contentType, body } = await telemetry.scrape()
    return { status: 200, type: contentType, body }
  }
  if (path === '/healthz') {
    const { stalled } = status.daemon
    return stalled === null ? json(200, { status: 'ok' }) : json(503, { status: 'stalled', reason: stalled })
  }
  if (path === '/readyz') {
    const { ready, reason } = status.daemon
    return ready ? json(200, { ready }) : json(503, { ready, reason })
  }
  if (path === '/api/status') {
    return json(200, status.document(parameter(request, 'after')))
  }
  if (path === '/api/events') {
    if (request.method === 'HEAD') return { status: 200, type: 'text/event-stream; charset=utf-8', body: '' }
    if (streams.full) return json(503, { error: `${MOST_STREAMS} pages are open, which is the most` })
    return 'stream'
  }
  if (path.startsWith('/api/nodes/')) {
    const name = decode(path.slice('/api/nodes/'.length))
    if (name === null) return json(400, { error: 'the node name is not valid percent-encoding' })
    const node = status.node(name)
    return node === undefined
      ? json(404, { error: `no window of node "${name}" has closed` })
      : json(200, node)
  }
  return page.get(path) ?? json(404, { error: `nothing at ${path}` })
}

async function send(request: IncomingMessage, response: ServerResponse, a: Answer): Promise<void> {
  const headers: Record<string, string | number> = { ...HEADERS, 'content-type': a.type }
  if (a.allow !== undefined) headers.allow = a.allow
  if (a.authenticate !== undefined) headers['www-authenticate'] = a.authenticate
  let body = Buffer.from(a.body)
  if (body.length >= GZIP_FROM && /\bgzip\b/.test(String(request.headers['accept-encoding'] ?? ''))) {
    body = await compress(body, { level: constants.Z_BEST_SPEED })
    headers['content-encoding'] = 'gzip'
  }
  headers['content-length'] = body.length
  response.writeHead(a.status, headers)
  response.end(request.method === 'HEAD' ? undefined : body)
}

function parameter(request: IncomingMessage, name: string): string | undefined {
  return new URLSearchParams((request.url ?? '').split('?', 2)[1]).get(name) ?? undefined
}

function decode(text: string): string | null {
  try {
    return decodeURIComponent(text)
  } catch {
    return null
  }
}

/** The files of the page by path; `/` is its index. */
async function readPage(): Promise<Map<string, Answer>> {
  const page = new Map<string, Answer>()
  for (const name of await readdir(PAGE)) {
    const type = PAGE_TYPES[extname(name)]
    if (type === undefined) continue
    const file: Answer = { status: 200, type, body: await readFile(new URL(name, PAGE)) }
    page.set(name === 'index.html' ? '/' : `/${name}`, file)
  }
  return page
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const reasons: Record<string, string> = {
        EADDRINUSE: 'another program listens there; set http.port to a free port',
        EACCES: 'not permitted; set http.port to 1024 or above',
        EADDRNOTAVAIL: 'no such address on this machine; mend http.host',
        ENOTFOUND: 'no such host; mend http.host',
      }
      const reason = reasons[error.code ?? ''] ?? `${error.message}; see http.host and http.port`
      reject(
        new Error(`cannot serve metrics and status page on ${host}:${port}: ${reason}`, { cause: error }),
      )
    })
    server.listen(port, host, resolve)
  })
}

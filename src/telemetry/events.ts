/** The status page's live feed: server-sent events (HTML Living Standard, 9.2). */
import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http'
import type { Writable } from 'node:stream'
import { constants, createGzip } from 'node:zlib'
import type { StatusStore } from '../status/store.ts'

/** Time between two events, ms; the figures of the daemon move in each, nodes only in a few. */
const EVENT_MS = 1000
/** What a browser waits before it comes back to a daemon that was restarted, ms. */
const COME_BACK_MS = 1000
/** So many pages are fed at once; each costs a document when windows close. */
export const MOST_STREAMS = 64

/**
 * Feeds browsers with status documents. The id of each event is its cursor, which the browser gives back when it
 * returns: it gets what it missed, or everything where the daemon is another one by then.
 */
export class EventStreams {
  readonly #status: StatusStore
  readonly #ends = new Set<() => void>()

  constructor(status: StatusStore) {
    this.#status = status
  }

  get full(): boolean {
    return this.#ends.size >= MOST_STREAMS
  }

  /** Answers with a stream that lasts until the browser goes or `close`. A reader too slow for an event gets the next. */
  open(
    request: IncomingMessage,
    response: ServerResponse,
    headers: OutgoingHttpHeaders,
    after?: string,
  ): void {
    const packs = /\bgzip\b/.test(String(request.headers['accept-encoding'] ?? ''))
    response.writeHead(200, {
      ...headers,
      ...(packs ? { 'content-encoding': 'gzip' } : {}),
      'content-type': 'text/event-stream; charset=utf-8',
      // Neither proxies nor browsers may hold events back.
      'cache-control': 'no-store, no-transform',
      'x-accel-buffering': 'no',
    })
    const gzip = packs ? createGzip({ level: constants.Z_BEST_SPEED, flush: constants.Z_SYNC_FLUSH }) : null
    gzip?.pipe(response)
    const out: Writable = gzip ?? response
    const lastEvent = request.headers['last-event-id']
    let cursor = typeof lastEvent === 'string' ? lastEvent : after
    const send = (): void => {
      if (out.writableNeedDrain) return
      const document = this.#status.document(cursor)
      cursor = document.cursor
      out.write(`id: ${cursor}\ndata: ${JSON.stringify(document)}\n\n`)
    }
    const timer = setInterval(send, EVENT_MS)
    const end = (): void => {
      clearInterval(timer)
      this.#ends.delete(end)
      out.end()
    }
    this.#ends.add(end)
    response.on('close', end)
    out.write(`retry: ${COME_BACK_MS}\n`)
    send()
  }

  /** Ends every stream. */
  close(): void {
    for (const end of this.#ends) end()
  }
}

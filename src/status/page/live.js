// @ts-check
/** The daemon's event stream, opened again for as long as the page is looked at. Addresses are relative: a path prefix is no matter. */

/** @typedef {import('../store.ts').StatusDocument} StatusDocument */

/** The daemon speaks every second; after so much silence, ms, what is shown counts as old. */
const SILENCE_MS = 5000
/** From a stream that the browser gave up to a new one, ms. */
const AGAIN_MS = 2000

/**
 * Calls `onDocument` with each document and `onSilence` when the daemon is not heard.
 * @param {{ cursor: () => string, onDocument: (document: StatusDocument) => void, onSilence: () => void }} handlers
 */
export function follow({ cursor, onDocument, onSilence }) {
  /** @type {EventSource | null} */
  let source = null
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let silence
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let again

  const open = () => {
    close()
    source = new EventSource(`api/events?after=${encodeURIComponent(cursor())}`)
    source.onmessage = (event) => {
      listen()
      onDocument(JSON.parse(event.data))
    }
    source.onerror = () => {
      onSilence()
      // A browser comes back by itself after a lost connection, but not after a refusal, say of a proxy.
      if (source?.readyState === EventSource.CLOSED) again = setTimeout(open, AGAIN_MS)
    }
    listen()
  }
  const close = () => {
    source?.close()
    source = null
    clearTimeout(silence)
    clearTimeout(again)
  }
  /** A connection that hangs tells of no error. */
  const listen = () => {
    clearTimeout(silence)
    silence = setTimeout(() => {
      onSilence()
      open()
    }, SILENCE_MS)
  }
  document.addEventListener('visibilitychange', () => (document.hidden ? close() : open()))
  if (!document.hidden) open()
}

/** @param {string} path */
export async function getJson(path) {
  const response = await fetch(path, { signal: AbortSignal.timeout(SILENCE_MS) })
  if (!response.ok) throw new Error(`${response.status} ${response.statusText}`)
  return response.json()
}

/** The live feed of the page, read as a browser reads it. */
import assert from 'node:assert/strict'
import { type IncomingMessage, request } from 'node:http'
import { after, describe, test } from 'node:test'
import { createGunzip } from 'node:zlib'
import pino from 'pino'
import type { StatusDocument } from '../../src/status/store.ts'
import { MOST_STREAMS } from '../../src/telemetry/events.ts'
import { startHttp } from '../../src/telemetry/http.ts'
import { Telemetry } from '../../src/telemetry/telemetry.ts'
import { alarmOf, flagOf, LAST_END_MS } from '../status/machine.ts'

const EVERY_MS = 15 * 60_000

describe('events', () => {
  const closes: (() => Promise<void>)[] = []
  after(async () => {
    for (const close of closes) await close()
  })

  async function daemon(port = 0) {
    const telemetry = new Telemetry({ logger: pino({ level: 'silent' }), version: '1' })
    const http = await startHttp({ host: '127.0.0.1', port, telemetry })
    closes.push(http.close)
    return { telemetry, ...http }
  }

  function open(url: string, headers: Record<string, string> = {}): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      request(new URL('api/events', url), { headers }, resolve).on('error', reject).end()
    })
  }

  /** The events of a stream, id beside document. */
  async function* events(
    response: IncomingMessage,
  ): AsyncGenerator<{ id: string; document: StatusDocument }> {
    const packed = response.headers['content-encoding'] === 'gzip'
    const source: AsyncIterable<Buffer> = packed ? response.pipe(createGunzip()) : response
    let text = ''
    for await (const chunk of source) {
      text += chunk
      for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
        const event = text.slice(0, end)
        text = text.slice(end + 2)
        const id = /^id: (.*)$/m.exec(event)?.[1] ?? ''
        yield { id, document: JSON.parse(/^data: (.*)$/m.exec(event)?.[1] ?? 'null') as StatusDocument }
      }
    }
  }

  test('the whole at first, then what is new, and what was missed after a break', async () => {
    const { telemetry, url } = await daemon()
    const flag = flagOf('r1n1', LAST_END_MS, 0.5, 'normal')
    telemetry.flag(flag)
    const response = await open(url)
    assert.equal(response.statusCode, 200)
    assert.equal(response.headers['content-type'], 'text/event-stream; charset=utf-8')
    assert.equal(response.headers['cache-control'], 'no-store, no-transform')
    const stream = events(response)
    const first = (await stream.next()).value
    assert.equal(first.document.complete, true)
    assert.deepEqual(
      first.document.nodes.map((n: { node: string }) => n.node),
      ['r1n1'],
    )
    assert.equal(first.id, first.document.cursor)

    const second = (await stream.next()).value
    assert.equal(second.document.complete, false)
    assert.deepEqual([second.document.nodes, second.document.alarms], [[], []])

    const hot = flagOf('r1n2', LAST_END_MS + EVERY_MS, 2, 'anomalous')
    telemetry.flag(hot)
    telemetry.alarm(alarmOf(hot, 'normal'))
    const third = (await stream.next()).value
    assert.equal(third.document.nodes[0]?.node, 'r1n2')
    assert.equal(third.document.alarms[0]?.node, 'r1n2')
    response.destroy()

    const back = await open(url, { 'last-event-id': second.id, 'accept-encoding': 'gzip' })
    assert.equal(back.headers['content-encoding'], 'gzip')
    const missed = (await events(back).next()).value
    assert.equal(missed.document.complete, false)
    assert.deepEqual(
      missed.document.nodes.map((n: { node: string }) => n.node),
      ['r1n2'],
    )
    back.destroy()
  })

  test('a cursor of a daemon before gets the whole; the end of the daemon ends the stream at once', async () => {
    const before = await daemon()
    const response = await open(before.url)
    const stream = events(response)
    const { id } = (await stream.next()).value
    const started = process.hrtime.bigint()
    const closed = before.close()
    while (!(await stream.next()).done);
    await closed
    assert.ok(process.hrtime.bigint() - started < 900_000_000n, 'did not wait for the running request')

    const next = await daemon(Number(new URL(before.url).port))
    next.telemetry.flag(flagOf('r9n9', LAST_END_MS, 0.1, 'normal'))
    const again = await open(next.url, { 'last-event-id': id })
    assert.equal((await events(again).next()).value.document.complete, true)
    again.destroy()
  })

  test('so many pages and no more; a page that goes makes room', async () => {
    const { url } = await daemon()
    const pages = await Promise.all(Array.from({ length: MOST_STREAMS }, () => open(url)))
    const refused = await fetch(new URL('api/events', url))
    assert.equal(refused.status, 503)
    assert.deepEqual(await refused.json(), { error: `${MOST_STREAMS} pages are open, which is the most` })
    pages[0]?.destroy()
    for (;;) {
      const response = await open(url)
      response.destroy()
      if (response.statusCode === 200) break
    }
    for (const page of pages) page.destroy()
  })
})

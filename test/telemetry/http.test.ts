import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { request } from 'node:http'
import { request as secureRequest } from 'node:https'
import { after, before, describe, test } from 'node:test'
import pino from 'pino'
import { Secret } from '../../src/config/secret.ts'
import type { NodeDocument, StatusDocument } from '../../src/status/store.ts'
import { startHttp } from '../../src/telemetry/http.ts'
import { Telemetry } from '../../src/telemetry/telemetry.ts'
import { alarmOf, flagOf, LAST_END_MS } from '../status/machine.ts'
import { tlsFile } from '../support/secure.ts'

const EVERY_MS = 15 * 60_000

describe('http', () => {
  const telemetry = new Telemetry({ logger: pino({ level: 'silent' }), version: '1.2.3' })
  let http: Awaited<ReturnType<typeof startHttp>>
  before(async () => {
    http = await startHttp({ host: '127.0.0.1', port: 0, telemetry })
  })
  after(() => http.close())

  const get = (path: string, init?: RequestInit) => fetch(new URL(path, http.url), init)
  const status = async (query = '') => (await (await get(`api/status${query}`)).json()) as StatusDocument

  test('/metrics is the Prometheus text format, compressed on request', async () => {
    const response = await get('metrics')
    assert.match(response.headers.get('content-type') ?? '', /^text\/plain; version=0\.0\.4; charset=utf-8$/)
    assert.equal(response.headers.get('content-encoding'), 'gzip')
    assert.match(await response.text(), /^examon_dec_build_info\{version="1\.2\.3"\} 1$/m)
    const plain = await get('metrics', { headers: { 'accept-encoding': 'identity' } })
    assert.equal(plain.headers.get('content-encoding'), null)
  })

  test('/readyz tells why not; /healthz is well all the time', async () => {
    telemetry.notReady('no broker')
    const no = await get('readyz')
    assert.equal(no.status, 503)
    assert.deepEqual(await no.json(), { ready: false, reason: 'no broker' })
    assert.equal((await get('healthz')).status, 200)
    telemetry.ready()
    const yes = await get('readyz')
    assert.equal(yes.status, 200)
    assert.deepEqual(await yes.json(), { ready: true })
  })

  test('/api/status: all at first, then only what is new, all again when a node is gone', async () => {
    const first = flagOf('a', LAST_END_MS, 0.5, 'normal')
    telemetry.flag(first)
    telemetry.flag(flagOf('b', LAST_END_MS, null, 'silent'))
    telemetry.dropped('late', 'x', 2)
    const all = await status()
    assert.equal(all.complete, true)
    assert.deepEqual(
      all.nodes.map((n) => n.node),
      ['a', 'b'],
    )
    const { kind, v, window_start, anomalous, model, ...shown } = first
    assert.deepEqual(all.nodes[0], shown)
    assert.equal(all.daemon.drops.late, 2)
    assert.equal(all.daemon.version, '1.2.3')

    const none = await status(`?after=${all.cursor}`)
    assert.deepEqual([none.complete, none.nodes, none.alarms], [false, [], []])

    const next = flagOf('b', LAST_END_MS + EVERY_MS, 1.4, 'pending')
    telemetry.flag(next)
    telemetry.alarm(alarmOf(next, 'silent'))
    const some = await status(`?after=${none.cursor}`)
    assert.deepEqual(
      some.nodes.map((n) => [n.node, n.score]),
      [['b', 1.4]],
    )
    assert.deepEqual(some.alarms, [alarmOf(next, 'silent')])

    telemetry.nodeForgotten('a')
    const fresh = await status(`?after=${some.cursor}`)
    assert.equal(fresh.complete, true)
    assert.deepEqual(
      fresh.nodes.map((n) => n.node),
      ['b'],
    )
    assert.equal((await status('?after=other-3')).complete, true)
    assert.equal((await status('?after=%E0%A4%A')).complete, true)
  })

  test('/api/nodes/NODE: a bounded history, oldest first, each window once', async () => {
    for (let i = 0; i < 100; i++) telemetry.flag(flagOf('r1/n 1', LAST_END_MS + i * EVERY_MS, i, 'normal'))
    telemetry.flag(flagOf('r1/n 1', LAST_END_MS + 99 * EVERY_MS, null, 'insufficient')) // again, after a restart
    telemetry.flag(flagOf('r1/n 1', LAST_END_MS, 7, 'normal')) // told long ago
    const node = (await (await get('api/nodes/r1%2Fn%201')).json()) as NodeDocument
    assert.equal(node.state, 'insufficient')
    assert.equal(node.history.length, 96)
    assert.deepEqual(
      [node.history[0]?.score, node.history[94]?.score, node.history[95]?.score],
      [4, 98, null],
    )
    assert.equal(node.history[95]?.window_end, node.window_end)
    assert.equal((await get('api/nodes/none')).status, 404)
    assert.equal((await get('api/nodes/%E0%A4%A')).status, 400)
  })

  test('alarms: the last 500, newest first', async () => {
    for (let i = 0; i < 600; i++) {
      telemetry.alarm(alarmOf(flagOf('a', LAST_END_MS + i * EVERY_MS, 2, 'anomalous'), 'pending'))
    }
    const { alarms } = await status()
    assert.equal(alarms.length, 500)
    assert.equal(alarms[0]?.at, new Date(LAST_END_MS + 599 * EVERY_MS).toISOString())
  })

  test('the page and its assets, with a character set, a policy and no way up', async () => {
    const index = await get('')
    const html = await index.text()
    assert.match(html, /<!doctype html>/)
    assert.match(index.headers.get('content-security-policy') ?? '', /default-src 'none'; script-src 'self'/)
    assert.equal(index.headers.get('x-content-type-options'), 'nosniff')
    const assets = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map((m) => m[1] ?? '')
    assert.ok(assets.length >= 3)
    for (const asset of assets) {
      assert.doesNotMatch(asset, /^\/|:/, 'relative, so that a path prefix is no matter')
      const response = await get(asset)
      assert.equal(response.status, 200, asset)
      assert.match(response.headers.get('content-type') ?? '', /charset=utf-8/)
    }
    for (const path of ['nothing', 'index.html/', '%2e%2e/store.ts', '..%2fstore.ts']) {
      assert.equal((await get(path)).status, 404, path)
    }
    assert.equal(await rawStatus('/../store.ts'), 404)
    assert.equal(await rawStatus('//'), 404)
  })

  test('GET and HEAD only', async () => {
    const post = await get('api/status', { method: 'POST' })
    assert.equal(post.status, 405)
    assert.equal(post.headers.get('allow'), 'GET, HEAD')
    const head = await get('healthz', { method: 'HEAD' })
    assert.equal(head.status, 200)
    assert.equal(await head.text(), '')
  })

  test('a port in use is refused with the address and the key to mend', async () => {
    const port = Number(new URL(http.url).port)
    await assert.rejects(startHttp({ host: '127.0.0.1', port, telemetry }), {
      message: `cannot serve metrics and status page on 127.0.0.1:${port}: another program listens there; set http.port to a free port`,
    })
  })

  /** The status of a path that `fetch` would tidy up before it asks. */
  function rawStatus(path: string): Promise<number | undefined> {
    return new Promise((resolve, reject) => {
      const { hostname, port } = new URL(http.url)
      request({ hostname, port, path }, (response) => {
        response.resume()
        resolve(response.statusCode)
      })
        .on('error', reject)
        .end()
    })
  }
})

test('samples per second are a mean over the last ten full seconds', () => {
  let ms = 1_700_000_000_000
  const telemetry = new Telemetry({ logger: pino({ level: 'silent' }), version: '1', now: () => ms })
  const rate = () => telemetry.status.document().daemon.samples_per_second
  assert.equal(rate(), 0)
  for (let s = 0; s < 20; s++) {
    telemetry.samplesTaken(s < 10 ? 1000 : 50)
    ms += 1000
    if (s === 3) assert.equal(rate(), 1000)
  }
  assert.equal(rate(), 50)
  ms += 3_600_000
  assert.equal(rate(), 0)
})

describe('closed to strangers', () => {
  const telemetry = new Telemetry({ logger: pino({ level: 'silent' }), version: '1.2.3' })
  telemetry.ready()
  const access = { username: 'ops', password: new Secret('geheim:1'), token: new Secret('abc') }
  const basic = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`

  test('page and metrics ask for name and password, or the token; health does not', async () => {
    const http = await startHttp({ host: '127.0.0.1', port: 0, telemetry, ...access })
    const get = (path: string, authorization?: string) =>
      fetch(new URL(path, http.url), authorization === undefined ? {} : { headers: { authorization } })
    try {
      for (const path of ['', 'metrics', 'api/status', 'api/nodes/a', 'nothing']) {
        for (const wrong of [
          undefined,
          '',
          'Basic',
          basic('ops:no'),
          basic('ops:geheim'),
          'Bearer abcd',
          'abc',
        ]) {
          const response = await get(path, wrong)
          assert.equal(response.status, 401, `${path} with ${wrong}`)
          assert.match(response.headers.get('www-authenticate') ?? '', /^Basic realm=/)
          assert.doesNotMatch(await response.text(), /examon_dec|geheim/)
        }
      }
      for (const right of [basic('ops:geheim:1'), 'Bearer abc', 'bearer abc'])
        assert.equal((await get('metrics', right)).status, 200, right)
      assert.equal((await get('', basic('ops:geheim:1'))).status, 200)
      for (const path of ['healthz', 'readyz']) assert.equal((await get(path)).status, 200)
    } finally {
      await http.close()
    }
  })

  test('an order to reload is taken from those who may look, and from nobody where everybody may', async () => {
    let answer: string | null = null
    const reload = async () => answer
    const closed = await startHttp({ host: '127.0.0.1', port: 0, telemetry, ...access, reload })
    const open = await startHttp({ host: '127.0.0.1', port: 0, telemetry, reload })
    const post = async (url: string, authorization = '') => {
      const response = await fetch(new URL('-/reload', url), { method: 'POST', headers: { authorization } })
      return [response.status, await response.json()]
    }
    try {
      assert.equal((await post(open.url))[0], 403)
      assert.equal((await post(closed.url, 'Bearer no'))[0], 401)
      assert.deepEqual(await post(closed.url, 'Bearer abc'), [200, { status: 'reloaded' }])
      answer = 'a reason'
      assert.deepEqual(await post(closed.url, 'Bearer abc'), [409, { error: 'a reason' }])
      assert.equal(
        (await fetch(new URL('-/reload', closed.url), { headers: { authorization: 'Bearer abc' } })).status,
        404,
      )
    } finally {
      await closed.close()
      await open.close()
    }
  })

  test('over TLS; a certificate that is none ends the start', async () => {
    const tls = { cert: tlsFile('broker-keystore.pem'), key: tlsFile('broker-keystore.pem') }
    const http = await startHttp({ host: '127.0.0.1', port: 0, telemetry, tls })
    try {
      assert.match(http.url, /^https:/)
      const ca = readFileSync(tlsFile('ca.pem'))
      const body = await new Promise<string>((resolve, reject) => {
        secureRequest(new URL('healthz', http.url), { ca }, (response) => {
          response.setEncoding('utf8').on('data', resolve)
        })
          .on('error', reject)
          .end()
      })
      assert.equal(body, '{"status":"ok"}\n')
    } finally {
      await http.close()
    }
    const wrong = { cert: tlsFile('ca.pem'), key: tlsFile('client.key') }
    await assert.rejects(
      startHttp({ host: '127.0.0.1', port: 0, telemetry, tls: wrong }),
      /TLS can't use .*client\.key \(config key http\.tls\)/,
    )
  })
})

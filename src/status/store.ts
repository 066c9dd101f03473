import type { AlarmRecord, AlarmState, Contribution, FlagRecord } from '../detect/records.ts'
import { ALARM_STATES } from '../detect/records.ts'
import type { DropReason } from '../examon/sample.ts'
import { DROP_REASONS } from '../examon/sample.ts'
import { RateMeter } from './rate.ts'

/** Windows of a node that the page can draw: a day of quarter hours. */
const HISTORY_WINDOWS = 96
/** Alarms kept for the page; older ones are in the sinks. */
const RECENT_ALARMS = 500

/** What the daemon tells of itself, as it stands in `/api/status`. Times are ISO 8601, UTC. */
export interface DaemonStatus {
  version: string
  started: string
  /** Seconds since the start. */
  uptime: number
  ready: boolean
  /** Why not ready, else null. */
  reason: string | null
  model: {
    version: string
    path: string
    trained_to: string
    nodes: number
    metrics: number
    features: number
    centres: number
  } | null
  /** Partitions read now. */
  partitions: number
  /** Records not read yet, all partitions; null before the first count. */
  lag: number | null
  samples_per_second: number
  drops: Record<DropReason, number>
  /** Event time up to which windows are closed; null before the first. */
  watermark: string | null
  /** Since when no record at all has come, or null. */
  silent_since: string | null
  /** Why nothing moves though nothing is known to be wrong, or null. */
  stalled: string | null
  /** Address of a node's dashboard with `{node}`, `{rack}`, `{from}` and `{to}` to fill in, or null. */
  node_link: string | null
}

/** The last window of one node. */
export type NodeStatus = Pick<
  FlagRecord,
  'node' | 'rack' | 'score' | 'p' | 'state' | 'since' | 'mode' | 'q' | 'coverage' | 'window_end'
> & { top: Contribution[] }

/** The answer of `/api/status`. */
export interface StatusDocument {
  /** Give it back as `?after=` to get only what changed since; opaque. */
  cursor: string
  /** True: these are all nodes and alarms. False: only those newer than the given cursor. */
  complete: boolean
  /** Time of the answer. */
  time: string
  daemon: DaemonStatus
  nodes: NodeStatus[]
  /** Newest first. */
  alarms: AlarmRecord[]
}

/** One point of a node's history, oldest first in `/api/nodes/<node>`. */
export interface HistoryPoint {
  window_end: string
  score: number | null
  state: AlarmState
  mode: number | null
}

/** The answer of `/api/nodes/<node>`. */
export interface NodeDocument extends NodeStatus {
  model: string
  history: HistoryPoint[]
}

/** Ring of the last windows of one node; typed arrays, because ten thousand nodes are held. */
interface Ring {
  /** Windows ever written; the next place is `written % HISTORY_WINDOWS`. */
  written: number
  /** ms since the epoch. */
  end: Float64Array
  /** NaN: not scored. */
  score: Float64Array
  /** Index in ALARM_STATES. */
  state: Uint8Array
  /** -1: not scored. */
  mode: Int16Array
}

interface Entry {
  flag: FlagRecord
  ring: Ring
  /** Revision of the store at which the node last changed. */
  revision: number
}

/** What the status page shows, in memory and bounded; fed by telemetry. */
export class StatusStore {
  readonly daemon: DaemonStatus
  readonly #now: () => number
  readonly #startedMs: number
  readonly #nodes = new Map<string, Entry>()
  /** Oldest first. */
  readonly #alarms: { record: AlarmRecord; revision: number }[] = []
  #revision = 0
  /** A cursor older than this knows of nodes that are gone and gets the whole document. */
  #forgottenAt = 0
  readonly #rate: RateMeter

  constructor(options: { version: string; now: () => number; nodeLink?: string | undefined }) {
    this.#now = options.now
    this.#startedMs = options.now()
    this.#rate = new RateMeter(this.#startedMs)
    this.daemon = {
      version: options.version,
      started: new Date(this.#startedMs).toISOString(),
      uptime: 0,
      ready: false,
      reason: 'starting',
      model: null,
      partitions: 0,
      lag: null,
      samples_per_second: 0,
      drops: Object.fromEntries(DROP_REASONS.map((r) => [r, 0])) as Record<DropReason, number>,
      watermark: null,
      silent_since: null,
      stalled: null,
      node_link: options.nodeLink ?? null,
    }
  }

  samplesTaken(n: number): void {
    this.#rate.add(n, this.#now())
  }

  /** Keeps the node's last window; one that is older than the last is only history that was told already. */
  flag(flag: FlagRecord): void {
    const end = Date.parse(flag.window_end)
    const entry = this.#nodes.get(flag.node)
    const ring = entry?.ring ?? newRing()
    const last =
      ring.written === 0 ? Number.NEGATIVE_INFINITY : ring.end[(ring.written - 1) % HISTORY_WINDOWS]
    if (last !== undefined && end < last) return
    if (end === last) ring.written-- // the same window again, after a restart
    const at = ring.written++ % HISTORY_WINDOWS
    ring.end[at] = end
    ring.score[at] = flag.score ?? Number.NaN
    ring.state[at] = ALARM_STATES.indexOf(flag.state)
    ring.mode[at] = flag.mode ?? -1
    this.#nodes.set(flag.node, { flag, ring, revision: ++this.#revision })
  }

  alarm(record: AlarmRecord): void {
    this.#alarms.push({ record, revision: ++this.#revision })
    if (this.#alarms.length > RECENT_ALARMS) this.#alarms.shift()
  }

  forget(node: string): void {
    if (this.#nodes.delete(node)) this.#forgottenAt = ++this.#revision
  }

  /** The whole state, or what is newer than `after`, a cursor of an earlier answer of this process. */
  document(after?: string): StatusDocument {
    const now = this.#now()
    const since = this.#revisionOf(after)
    const nodes: NodeStatus[] = []
    for (const { flag, revision } of this.#nodes.values()) if (revision > since) nodes.push(nodeStatus(flag))
    const alarms = this.#alarms.filter((a) => a.revision > since).map((a) => a.record)
    return {
      cursor: `${this.#startedMs.toString(36)}-${this.#revision.toString(36)}`,
      complete: since < 0,
      time: new Date(now).toISOString(),
      daemon: {
        ...this.daemon,
        uptime: (now - this.#startedMs) / 1000,
        samples_per_second: this.#rate.perSecond(now),
      },
      nodes,
      alarms: alarms.reverse(),
    }
  }

  /** One node with its history, or undefined when no window of it has closed. */
  node(name: string): NodeDocument | undefined {
    const entry = this.#nodes.get(name)
    if (entry === undefined) return undefined
    const { flag, ring } = entry
    const history: HistoryPoint[] = []
    for (let i = Math.max(0, ring.written - HISTORY_WINDOWS); i < ring.written; i++) {
      const at = i % HISTORY_WINDOWS
      const score = ring.score[at] as number
      const mode = ring.mode[at] as number
      history.push({
        window_end: new Date(ring.end[at] as number).toISOString(),
        score: Number.isNaN(score) ? null : score,
        state: ALARM_STATES[ring.state[at] as number] as AlarmState,
        mode: mode < 0 ? null : mode,
      })
    }
    return { ...nodeStatus(flag), model: flag.model, history }
  }

  /** The revision a cursor stands for; -1 for one of another process, one too old or none. */
  #revisionOf(cursor: string | undefined): number {
    const [started, revision] = (cursor ?? '').split('-')
    if (started !== this.#startedMs.toString(36) || revision === undefined) return -1
    const n = Number.parseInt(revision, 36)
    return n >= this.#forgottenAt && n <= this.#revision ? n : -1
  }
}

function nodeStatus(flag: FlagRecord): NodeStatus {
  const { node, rack, score, p, state, since, mode, q, coverage, window_end, top } = flag
  return { node, rack, score, p, state, since, mode, q, coverage, window_end, top }
}

function newRing(): Ring {
  return {
    written: 0,
    end: new Float64Array(HISTORY_WINDOWS),
    score: new Float64Array(HISTORY_WINDOWS),
    state: new Uint8Array(HISTORY_WINDOWS),
    mode: new Int16Array(HISTORY_WINDOWS),
  }
}

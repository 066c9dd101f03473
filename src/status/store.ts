import type { AlarmRecord, Contribution, FlagRecord } from '../detect/records.ts'
import type { DropReason } from '../examon/sample.ts'
import { DROP_REASONS } from '../examon/sample.ts'
import { RateMeter } from './rate.ts'
import { type HistoryPoint, Ring } from './ring.ts'

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

/** The answer of `/api/nodes/<node>`. */
export interface NodeDocument extends NodeStatus {
  model: string
  history: HistoryPoint[]
}

/** What outlasts a restart of one node. */
export interface KeptNode {
  flag: FlagRecord
  history: HistoryPoint[]
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
    const ring = this.#nodes.get(flag.node)?.ring ?? new Ring()
    if (!ring.push(flag)) return
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
    return { ...nodeStatus(flag), model: flag.model, history: ring.points() }
  }

  /** Everything that the page would lose with this process: a node a time, so that the loop goes on between. */
  *kept(): Generator<KeptNode> {
    for (const { flag, ring } of this.#nodes.values()) yield { flag, history: ring.points() }
  }

  keptAlarms(): AlarmRecord[] {
    return this.#alarms.map(({ record }) => record)
  }

  /** Takes up what an earlier process kept; before any flag of this one. */
  restore({ flag, history }: KeptNode): void {
    const ring = new Ring()
    for (const point of history) ring.push(point)
    this.#nodes.set(flag.node, { flag, ring, revision: ++this.#revision })
  }

  /** Forgets nodes whose last window ended before that, by the time of the samples. */
  forgetBefore(ms: number): void {
    for (const [node, { flag }] of this.#nodes) if (Date.parse(flag.window_end) < ms) this.forget(node)
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

import type { InferenceSession } from 'onnxruntime-node'

/**
 * The tensor runtime. Its official builds report their use to the vendor over the network and keep a device identifier
 * in the home folder, unless this variable says otherwise before the first session. A monitor of a closed machine
 * reports to nobody; an operator who wants it sets the variable to 0.
 */
process.env.ORT_DISABLE_TELEMETRY ??= '1'

export { env, InferenceSession, Tensor } from 'onnxruntime-node'

/** Options of a session that computes with `threads` threads; undefined leaves it to the runtime: one a core. */
export function sessionOptions(threads: number | undefined): InferenceSession.SessionOptions {
  return threads === undefined ? {} : { intraOpNumThreads: threads }
}

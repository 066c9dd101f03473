/** Entry of a trial's process: takes one order, judges, tells, ends. It ends as well when its parent does. */

import { openPrepared } from '../bootstrap/prepare.ts'
import type { Progress } from '../bootstrap/progress.ts'
import type { Message, Order } from './process.ts'
import { judge } from './trial.ts'

/** Between two reports of resident memory, ms. */
const REPORT_MS = 200

const silent: Progress = { step: () => ({ advance() {}, finish() {} }) }

function tell(message: Message): Promise<void> {
  return new Promise((resolve) => {
    if (process.send === undefined) resolve()
    else process.send(message, () => resolve())
  })
}

process.once('disconnect', () => process.exit(1))
process.once('message', async (order: Order) => {
  const report = setInterval(() => void tell({ resident: process.memoryUsage.rss() }), REPORT_MS)
  try {
    const prepared = await openPrepared(order.prepared)
    const { training, share, criterion, faultSeed, threads } = order
    const options = { progress: silent, threads }
    const judged = await judge(prepared, training, share, criterion, faultSeed, options)
    await prepared.release()
    await tell({ resident: process.resourceUsage().maxRSS * 1024 })
    await tell({ judged })
  } catch (error) {
    await tell({ failed: error instanceof Error ? error.message : String(error) })
  }
  clearInterval(report)
  process.disconnect()
})

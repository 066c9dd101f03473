/**
 * How the learning rate changes over a stage of training.
 * `constant`: not at all; `cosine`: from the full rate to zero over the whole stage (Loshchilov & Hutter 2017, without
 * restarts); `step`: divided by ten after every so many epochs, as the DEC authors train.
 */
export type Schedule = { kind: 'constant' } | { kind: 'cosine' } | { kind: 'step'; epochs: number }

/** The DEC authors divide by this (github.com/piiswrong/dec, pretrain.py). */
const STEP_FACTOR = 10

/** Where a stage is: `step` of `total` steps, counted from 0, and the steps of one pass over the rows. */
export interface Position {
  step: number
  total: number
  stepsPerEpoch: number
}

/** The learning rate at one step of a stage that starts with `rate`. */
export function scheduledRate(rate: number, schedule: Schedule, at: Position): number {
  switch (schedule.kind) {
    case 'constant':
      return rate
    case 'cosine':
      return (rate * (1 + Math.cos((Math.PI * at.step) / at.total))) / 2
    case 'step':
      return rate / STEP_FACTOR ** Math.floor(at.step / (schedule.epochs * at.stepsPerEpoch))
  }
}

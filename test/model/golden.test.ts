import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { createNetwork, layerSizes } from '../../src/model/network.ts'
import { Trainer } from '../../src/model/trainer.ts'

type Parameters = Record<string, number[]>

/** Written by test/compare/golden_step.py. */
interface Golden {
  by: string
  widths: number[]
  code: number
  centres: number
  gamma: number
  momentum: number
  batches: number[]
  x: number[]
  target: number[]
  start: Parameters
  cases: {
    optimiser: 'sgd' | 'adam'
    clustered: boolean
    reconstruction: number
    rate: number
    losses: number[]
    afterFirst: Parameters
    afterLast: Parameters
  }[]
}

const golden: Golden = JSON.parse(readFileSync(new URL('golden/steps.json', import.meta.url), 'utf8'))
const [features = 0, ...widths] = golden.widths
const network = createNetwork(features, widths.slice(0, widths.indexOf(golden.code)), golden.code)
const TOLERANCE = 1e-6

/** The parameters of a trainer by the names of the file. */
function parametersOf(trainer: Trainer, clustered: boolean): Record<string, Float32Array> {
  const parameters: Record<string, Float32Array> = {}
  trainer.layers().forEach(({ weight, bias }, l) => {
    parameters[`weight${l}`] = weight
    parameters[`bias${l}`] = bias
  })
  if (clustered) parameters.centres = trainer.centres()
  return parameters
}

function assertEqual(actual: Record<string, Float32Array>, expected: Parameters, when: string): void {
  assert.deepEqual(Object.keys(actual).sort(), Object.keys(expected).sort())
  for (const [name, values] of Object.entries(expected)) {
    assert.equal(actual[name]!.length, values.length)
    values.forEach((value, i) => {
      const found = actual[name]![i]!
      assert.ok(Math.abs(found - value) <= TOLERANCE, `${when}, ${name}[${i}]: ${found}, expected ${value}`)
    })
  }
}

test('the file is of the network that is built here', () => {
  assert.deepEqual(network.widths, golden.widths)
})

for (const { optimiser, clustered, reconstruction, rate, losses, afterFirst, afterLast } of golden.cases) {
  const name = `${optimiser}${clustered ? `, DEC with reconstruction ${reconstruction}` : ''}`
  test(`steps equal those of ${golden.by}: ${name}`, async () => {
    const layers = layerSizes(network).map(([inputs, outputs], l) => ({
      weight: Float32Array.from(golden.start[`weight${l}`]!),
      bias: Float32Array.from(golden.start[`bias${l}`]!),
      inputs,
      outputs,
    }))
    const trainer = await Trainer.create(
      network,
      layers,
      optimiser === 'sgd' ? { kind: 'sgd', momentum: golden.momentum } : { kind: 'adam' },
      clustered
        ? {
            centres: golden.centres,
            gamma: golden.gamma,
            reconstruction,
            initial: Float32Array.from(golden.start.centres!),
          }
        : null,
    )
    const x = Float32Array.from(golden.x)
    const target = Float32Array.from(golden.target)
    for (const [step, n] of golden.batches.entries()) {
      const { squaredError, divergence } = await trainer.step(x, n, rate, target)
      const weight = clustered ? reconstruction : 1
      const loss = (weight * squaredError) / (n * features) + (golden.gamma * divergence) / n
      assert.ok(
        Math.abs(loss - losses[step]!) < TOLERANCE,
        `step ${step}: loss ${loss}, expected ${losses[step]}`,
      )
      if (step === 0) assertEqual(parametersOf(trainer, clustered), afterFirst, 'first step')
    }
    assertEqual(parametersOf(trainer, clustered), afterLast, 'last step')
    await trainer.release()
    const moved = Math.max(...afterLast.weight0!.map((v, i) => Math.abs(v - golden.start.weight0![i]!)))
    assert.ok(moved > 1000 * TOLERANCE, `the steps move weights far beyond the tolerance: ${moved}`)
  })
}

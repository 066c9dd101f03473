import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createNetwork } from '../../src/model/network.ts'
import { createRandom } from '../../src/model/random.ts'
import { MemoryRows } from '../../src/model/rows.ts'
import { reconstructionError, SoftAssignment } from '../../src/model/soft-assignment.ts'
import { Encoder } from '../../src/model/trainer.ts'
import { encode, losses, rowsOf, softAssignment, toParameters } from './formulas.ts'
import { randomLayers } from './support.ts'

const D = 5
const K = 3
const NETWORK = createNetwork(D, [7], 2)
/** More than one block of the encoder. */
const N = 5000

test('mass, shares, error, change and target over the whole set are those of the formulas', async () => {
  const random = createRandom(4)
  const x = Float32Array.from({ length: N * D }, () => random.uniform())
  const rows = new MemoryRows(x, D)
  const encoder = await Encoder.create(NETWORK, K)
  const assignment = new SoftAssignment(N, K)
  const draw = (): { layers: ReturnType<typeof randomLayers>; centres: Float32Array } => ({
    layers: randomLayers(NETWORK, random),
    centres: Float32Array.from({ length: K * 2 }, () => 0.3 * random.normal()),
  })
  const exact = ({ layers, centres }: ReturnType<typeof draw>): { q: number[][]; error: number } => {
    const parameters = toParameters(layers, centres)
    const given = rowsOf(x, D)
    const q = given.map((row) => softAssignment(encode(NETWORK, parameters, row), parameters.centres))
    return { q, error: losses(NETWORK, parameters, given, null).squaredError / (N * D) }
  }
  const nearest = (q: number[]): number => q.indexOf(Math.max(...q))

  let before: number[] | null = null
  for (const round of [draw(), draw()]) {
    const { q, error } = exact(round)
    const found = await assignment.renew(rows, encoder, round.layers, round.centres)
    assert.ok(Math.abs((await reconstructionError(rows, encoder, round.layers)) / error - 1) < 1e-5)
    const modes = q.map(nearest)
    // In single precision a row or two on a border may fall to the other side.
    const slack = 3 / N
    const moved = before === null ? 1 : modes.filter((mode, i) => mode !== before?.[i]).length / N
    assert.ok(Math.abs(found.changed - moved) <= slack, `${found.changed}, expected ${moved}`)
    const mass = Array.from({ length: K }, (_, j) => q.reduce((sum, row) => sum + row[j]!, 0))
    mass.forEach((f, j) => {
      assert.ok(Math.abs(assignment.mass[j]! / f - 1) < 1e-5)
      assert.ok(Math.abs(found.shares[j]! - modes.filter((mode) => mode === j).length / N) <= slack)
    })
    const positions = Int32Array.of(4999, 0, 4096, 17)
    const target = new Float32Array(4 * K)
    assignment.target(positions, target)
    positions.forEach((position, i) => {
      const weights = q[position]!.map((v, j) => v ** 2 / mass[j]!)
      const sum = weights.reduce((a, b) => a + b, 0)
      weights.forEach((weight, j) => {
        assert.ok(Math.abs(target[i * K + j]! - weight / sum) < 1e-5)
      })
    })
    before = modes
  }
  assignment.release()
  await encoder.release()
})

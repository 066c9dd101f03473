/**
 * How fast training and encoding are, against what the same runtime reaches at best on the same machine in the same
 * run. The network is the report's.
 */
import { codeSize, isTransposed } from '../model/graphs.ts'
import { createNetwork, encoderOf, initialiseLayers, type Layer, weightCount } from '../model/network.ts'
import type { Optimiser } from '../model/optimisers.ts'
import { createRandom, type Random } from '../model/random.ts'
import * as ort from '../model/runtime.ts'
import { Trainer } from '../model/trainer.ts'
import { encoderGraph, productGraph, stepProductsGraph } from './graphs.ts'
import { describeMachine, type Machine } from './machine.ts'
import { measure, type Task, type Times } from './measure.ts'

const FEATURES = 460
const NETWORK = createNetwork(FEATURES, [500, 500, 2000], 20)
const SGD: Optimiser = { kind: 'sgd', momentum: 0.9 }
const ADAM: Optimiser = { kind: 'adam' }
/** Small enough for any optimiser to stay finite on the same batch for thousands of steps. */
const RATE = 1e-3
const CENTRES = 8
const GAMMA = 0.1

/** m × k × n of products that a CPU of today computes at its best rate; the best of them is the peak. */
const PEAK_SHAPES = [
  [1536, 1536, 1536],
  [2048, 2048, 512],
  [2048, 512, 2048],
  [1024, 2000, 512],
] as const

/** Rows of one call of the encoder: one window, one of each node of Marconi-100, a block of training rows. */
export const ENCODER_BATCHES = [1, 980, 4096] as const
export const STEP_BATCHES = [128, 1024]
/** With these the bench takes three quarters of a minute on two cores. */
export const ROUNDS = 12

export interface Figure extends Times {
  name: string
  /** Rows of one run. */
  batch: number
  gflops: number
  /** `gflops` divided by the peak's. */
  share: number
}

export interface TrainBench {
  machine: Machine
  widths: number[]
  weights: number
  peak: { shape: number[]; gflops: number; median: number }
  /** 6 FLOP a weight and row: multiply and add, once forward, twice backward. */
  steps: Figure[]
  /** 2 FLOP a weight of the encoder and row. A single vector has to read all of its `encoderBytes`. */
  encoder: (Figure & { vectorsPerSecond: number })[]
  encoderBytes: number
}

interface NamedTask extends Task {
  kind: 'peak' | 'step' | 'encoder'
  name: string
  batch: number
  release(): Promise<void>
}

/** `batches`: rows a training step. Times are taken in turns over `rounds` rounds. */
export async function benchTraining(
  batches: readonly number[],
  rounds: number,
  signal: AbortSignal,
  onRound: (round: number) => void,
): Promise<TrainBench> {
  const machine = describeMachine()
  const random = createRandom(1)
  const layers = initialiseLayers(NETWORK, 'variance-scaling', random)
  const tasks: NamedTask[] = []
  try {
    for (const shape of PEAK_SHAPES) tasks.push(await peakTask(shape, random))
    for (const batch of batches) {
      tasks.push(await stepTask('autoencoder, SGD', batch, layers, SGD, false, random))
      tasks.push(await stepTask('autoencoder, Adam', batch, layers, ADAM, false, random))
      tasks.push(await stepTask('DEC, SGD', batch, layers, SGD, true, random))
      tasks.push(await productsTask(batch, layers, random))
    }
    for (const batch of ENCODER_BATCHES) tasks.push(await encoderTask(batch, layers, random))
    return summarise(machine, await measure(tasks, rounds, signal, onRound))
  } finally {
    for (const task of tasks) await task.release()
  }
}

function summarise(machine: Machine, measured: Map<NamedTask, Times>): TrainBench {
  const rate = (task: Task, { median }: Times): number => task.flop / median / 1e6
  const of = (kind: NamedTask['kind']) => [...measured].filter(([task]) => task.kind === kind)
  const peaks = of('peak').map(([task, times]) => ({
    shape: task.name.split('×').map(Number),
    gflops: rate(task, times),
    median: times.median,
  }))
  const peak = peaks.reduce((best, other) => (other.gflops > best.gflops ? other : best))
  const figure = ([task, times]: [NamedTask, Times]): Figure => {
    const gflops = rate(task, times)
    return { name: task.name, batch: task.batch, ...times, gflops, share: gflops / peak.gflops }
  }
  return {
    machine,
    widths: NETWORK.widths,
    weights: weightCount(NETWORK),
    peak,
    steps: of('step').map(figure),
    encoder: of('encoder').map((entry) => {
      const result = figure(entry)
      return { ...result, vectorsPerSecond: (result.batch / result.median) * 1e3 }
    }),
    encoderBytes: 4 * weightCount(encoderOf(NETWORK)),
  }
}

async function peakTask([m, k, n]: readonly [number, number, number], random: Random): Promise<NamedTask> {
  const session = await ort.InferenceSession.create(productGraph(m, uniform(k * n, random), k, n))
  const feeds = { x: new ort.Tensor('float32', uniform(m * k, random), [m, k]) }
  const fetches = { y: new ort.Tensor('float32', new Float32Array(m * n), [m, n]) }
  return {
    kind: 'peak',
    name: `${m}×${k}×${n}`,
    batch: m,
    flop: 2 * m * k * n,
    run: () => session.run(feeds, fetches),
    release: () => session.release(),
  }
}

async function stepTask(
  name: string,
  batch: number,
  layers: readonly Layer[],
  optimiser: Optimiser,
  clustered: boolean,
  random: Random,
): Promise<NamedTask> {
  const initial = uniform(CENTRES * codeSize(NETWORK), random)
  const clustering = clustered ? { centres: CENTRES, gamma: GAMMA, initial } : null
  const trainer = await Trainer.create(NETWORK, layers, optimiser, clustering)
  const x = uniform(batch * FEATURES, random)
  const target = new Float32Array(batch * CENTRES).fill(1 / CENTRES)
  return {
    kind: 'step',
    name,
    batch,
    flop: 6 * weightCount(NETWORK) * batch,
    run: () => trainer.step(x, batch, RATE, target),
    release: () => trainer.release(),
  }
}

/** Gradients go into tensors allocated once, as in a step; weights stay as they are. */
async function productsTask(batch: number, layers: readonly Layer[], random: Random): Promise<NamedTask> {
  const session = await ort.InferenceSession.create(stepProductsGraph(NETWORK))
  const feeds: Record<string, ort.Tensor> = {
    x: new ort.Tensor('float32', uniform(batch * FEATURES, random), [batch, FEATURES]),
  }
  const fetches: Record<string, ort.Tensor> = {}
  layers.forEach(({ weight, inputs, outputs }, l) => {
    const shape = isTransposed(inputs, outputs) ? [outputs, inputs] : [inputs, outputs]
    feeds[`weight${l}`] = new ort.Tensor('float32', weight, shape)
    fetches[`gradient${l}`] = new ort.Tensor('float32', new Float32Array(weight.length), shape)
  })
  return {
    kind: 'step',
    name: 'its matrix products alone',
    batch,
    flop: 6 * weightCount(NETWORK) * batch,
    run: () => session.run(feeds, fetches),
    release: () => session.release(),
  }
}

async function encoderTask(batch: number, layers: readonly Layer[], random: Random): Promise<NamedTask> {
  const session = await ort.InferenceSession.create(encoderGraph(NETWORK, layers))
  const code = codeSize(NETWORK)
  const feeds = { x: new ort.Tensor('float32', uniform(batch * FEATURES, random), [batch, FEATURES]) }
  const fetches = { code: new ort.Tensor('float32', new Float32Array(batch * code), [batch, code]) }
  return {
    kind: 'encoder',
    name: 'features to code',
    batch,
    flop: 2 * weightCount(encoderOf(NETWORK)) * batch,
    run: () => session.run(feeds, fetches),
    release: () => session.release(),
  }
}

function uniform(n: number, random: Random): Float32Array {
  return Float32Array.from({ length: n }, () => random.uniform())
}

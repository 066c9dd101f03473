/**
 * Why onnxruntime-node: one training step (forward, backward, update by SGD with momentum) of the report's autoencoder, by this
 * project's ONNX graph and by TensorFlow.js, each in a process of its own. All start from the same weights and the same batch, and
 * the loss of the second step shows that they compute the same.
 */

import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { renderTable } from '../../src/evaluate/table.ts'
import { createNetwork, initialiseLayers } from '../../src/model/network.ts'
import { createRandom } from '../../src/model/random.ts'
import { Trainer } from '../../src/model/trainer.ts'
import { machine } from './machine.ts'
import { installPeers, loadPeer, measureApart, peakMegabytes } from './peers.ts'

const TFJS_VERSION = '4.22.0'
const FEATURES = 460
const BATCH = 128
const RATE = 0.1
const MOMENTUM = 0.9
const NETWORK = createNetwork(FEATURES, [500, 500, 2000], 20)
/** Timed steps, after one to warm up; the slow ones get few, so that the script ends within a minute. */
const STEPS = { 'onnxruntime-node': 40, wasm: 6, cpu: 3 } as const
type Engine = keyof typeof STEPS

interface Figures {
  /** Median over the timed steps, ms. */
  step: number
  fastest: number
  secondLoss: number
  megabytes: number
}

function start() {
  const random = createRandom(1)
  const layers = initialiseLayers(NETWORK, 'variance-scaling', random)
  const batch = Float32Array.from({ length: BATCH * FEATURES }, () => random.uniform())
  return { layers, batch }
}

/** `step` resolves to the mean squared error before its update, once the update is done. */
async function time(steps: number, step: () => Promise<number>): Promise<Figures> {
  await step()
  const losses: number[] = []
  const times: number[] = []
  for (let i = 0; i < steps; i++) {
    const before = performance.now()
    losses.push(await step())
    times.push(performance.now() - before)
  }
  return {
    step: times.toSorted((a, b) => a - b)[steps >> 1] ?? Number.NaN,
    fastest: Math.min(...times),
    secondLoss: losses[0] ?? Number.NaN,
    megabytes: peakMegabytes(),
  }
}

async function trainByOnnx(): Promise<Figures> {
  const { layers, batch } = start()
  const trainer = await Trainer.create(NETWORK, layers, { kind: 'sgd', momentum: MOMENTUM })
  return time(STEPS['onnxruntime-node'], async () => {
    const { squaredError } = await trainer.step(batch, BATCH, RATE)
    return squaredError / (BATCH * FEATURES)
  })
}

interface TfTensor {
  matMul(other: TfTensor): TfTensor
  add(other: TfTensor): TfTensor
  sub(other: TfTensor): TfTensor
  relu(): TfTensor
  square(): TfTensor
  mean(): TfTensor
  data(): Promise<ArrayLike<number>>
  dispose(): void
}

/** What is used of TensorFlow.js. */
interface TensorFlow {
  setBackend(name: string): Promise<boolean>
  ready(): Promise<void>
  getBackend(): string
  tensor2d(values: Float32Array, shape: [number, number]): TfTensor
  tensor1d(values: Float32Array): TfTensor
  variable(initial: TfTensor): TfTensor
  train: { momentum(rate: number, momentum: number): { minimize(f: () => TfTensor, keep: true): TfTensor } }
}

async function trainByTensorFlow(backend: 'wasm' | 'cpu', peers: string): Promise<Figures> {
  console.log = () => {} // the library advertises on standard output, where the figures go
  const tf = loadPeer<TensorFlow>(peers, '@tensorflow/tfjs')
  if (backend === 'wasm') {
    const name = '@tensorflow/tfjs-backend-wasm'
    const wasm = loadPeer<{ setWasmPaths(folder: string): void }>(peers, name)
    wasm.setWasmPaths(`${dirname(createRequire(join(peers, 'package.json')).resolve(name))}/`)
  }
  await tf.setBackend(backend)
  await tf.ready()
  if (tf.getBackend() !== backend) throw new Error(`TensorFlow.js took ${tf.getBackend()}, not ${backend}`)
  const { layers, batch } = start()
  const x = tf.tensor2d(batch, [BATCH, FEATURES])
  const parameters = layers.map(({ weight, bias, inputs, outputs }) => ({
    weight: tf.variable(tf.tensor2d(weight, [inputs, outputs])),
    bias: tf.variable(tf.tensor1d(bias)),
  }))
  const linear = new Set([NETWORK.codeLayer - 1, layers.length - 1])
  const optimiser = tf.train.momentum(RATE, MOMENTUM)
  const loss = () => {
    let hidden = x
    for (const [l, { weight, bias }] of parameters.entries()) {
      const sum = hidden.matMul(weight).add(bias)
      hidden = linear.has(l) ? sum : sum.relu()
    }
    return hidden.sub(x).square().mean()
  }
  return time(STEPS[backend], async () => {
    const value = optimiser.minimize(loss, true)
    const [number = Number.NaN] = Array.from(await value.data())
    value.dispose()
    return number
  })
}

/** tfjs-node is a native library that its install script fetches from a server outside of the registry. */
async function tryTfjsNode(): Promise<string> {
  const name = '@tensorflow/tfjs-node'
  try {
    const peers = await installPeers([`${name}@${TFJS_VERSION}`], [name])
    try {
      loadPeer(peers.folder, name)
      return 'installs and loads here'
    } finally {
      await peers.remove()
    }
  } catch (error) {
    const text = String((error as { stderr?: string }).stderr || (error as Error).message)
    const cause = [/https?:\S+/, /Error: .*/].map((pattern) => pattern.exec(text)?.[0] ?? '')
    return `does not install: ${cause.join(' ').trim() || text}`
  }
}

async function compare(): Promise<void> {
  const peers = await installPeers([
    `@tensorflow/tfjs@${TFJS_VERSION}`,
    `@tensorflow/tfjs-backend-wasm@${TFJS_VERSION}`,
  ])
  try {
    const figures = []
    for (const engine of Object.keys(STEPS)) {
      figures.push({ engine, ...(await measureApart<Figures>(import.meta.filename, [engine, peers.folder])) })
    }
    const own = figures[0]?.step ?? Number.NaN
    console.log(`${machine()}; ${NETWORK.widths.join('-')}, batch ${BATCH}, SGD ${RATE}/${MOMENTUM}`)
    console.log(
      renderTable(
        [
          { title: 'engine' },
          { title: 'ms/step (median)', decimals: 1 },
          { title: 'fastest', decimals: 1 },
          { title: 'ratio', decimals: 1 },
          { title: 'loss of step 2', decimals: 6 },
          { title: 'peak RSS MB', decimals: 0 },
        ],
        figures.map(({ engine, step, fastest, secondLoss, megabytes }) => [
          engine === 'onnxruntime-node' ? engine : `tfjs ${TFJS_VERSION} ${engine}`,
          step,
          fastest,
          step / own,
          secondLoss,
          megabytes,
        ]),
      ),
    )
  } finally {
    await peers.remove()
  }
  console.log(`@tensorflow/tfjs-node ${TFJS_VERSION}: ${await tryTfjsNode()}`)
}

const [engine, peersArgument = ''] = process.argv.slice(2)
if (engine === undefined) {
  await compare()
} else {
  const figures = await (engine === 'onnxruntime-node'
    ? trainByOnnx()
    : trainByTensorFlow(engine as Exclude<Engine, 'onnxruntime-node'>, peersArgument))
  process.stdout.write(`${JSON.stringify(figures)}\n`)
}

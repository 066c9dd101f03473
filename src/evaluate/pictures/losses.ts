/** How training went: the autoencoder by epoch, and DEC by update of its target. */
import type { TopLevelSpec } from 'vega-lite'
import type { Plateau } from '../../bootstrap/plateau.ts'
import { figure, percent } from './numbers.ts'
import type { Picture } from './render.ts'
import { BLUE, GREEN, GREY, haloed, MUTED, NARROW, ORANGE, VERMILLION } from './style.ts'

export interface PretrainLosses {
  /** Mean squared error a feature of each epoch, scaled units. */
  losses: readonly number[]
  /** What the autoencoder must beat; null where it is not known. */
  baselines: { meanPredictor: number; pca: number; components: number } | null
  /** Epochs in which the loss stood still at the mean predictor's, or null. */
  plateau: Plateau | null
}

/** Null without losses, as in a model that was not pretrained. */
export function pretrainPicture({ losses, baselines, plateau }: PretrainLosses): Picture | null {
  if (!losses.some((loss) => loss > 0)) return null
  const curve = losses.map((loss, i) => ({ epoch: i + 1, loss }))
  const components = baselines?.components === 1 ? '1 component' : `${baselines?.components} components`
  const rules =
    baselines === null
      ? []
      : [
          { error: baselines.meanPredictor, text: `mean predictor ${figure(baselines.meanPredictor)}` },
          { error: baselines.pca, text: `PCA, ${components} ${figure(baselines.pca)}` },
        ].filter(({ error }) => error > 0)
  const last = curve.at(-1)
  const drawn = [...losses, ...rules.map(({ error }) => error)].filter((error) => error > 0)
  const x = {
    field: 'epoch',
    type: 'quantitative',
    title: 'epoch',
    scale: { nice: false },
    axis: { tickMinStep: 1 },
  } as const
  const y = {
    field: 'loss',
    type: 'quantitative' as const,
    title: 'mean squared error a feature',
    scale: {
      type: 'log' as const,
      domain: [0.75 * Math.min(...drawn), 1.15 * Math.max(...drawn)],
      nice: false,
    },
    axis: { format: '~g', tickCount: 5 },
  }
  const spec: TopLevelSpec = {
    width: NARROW - 60,
    height: 250,
    title: 'Autoencoder by epoch',
    layer: [
      ...(plateau === null
        ? []
        : [
            {
              data: { values: [plateau] },
              mark: { type: 'rect' as const, color: GREY, opacity: 0.25 },
              encoding: { x: { ...x, field: 'fromEpoch' }, x2: { field: 'toEpoch' } },
            },
            {
              data: { values: [plateau] },
              mark: {
                type: 'text' as const,
                text: 'plateau',
                align: 'left' as const,
                dx: 4,
                fontSize: 11,
                color: MUTED,
              },
              encoding: { x: { ...x, field: 'fromEpoch' }, y: { value: 10 } },
            },
          ]),
      {
        data: { values: rules },
        mark: { type: 'rule', color: VERMILLION, strokeDash: [5, 3], strokeWidth: 1.2 },
        encoding: { y: { ...y, field: 'error' } },
      },
      {
        data: { values: curve },
        mark: { type: 'line', color: BLUE, strokeWidth: 2, point: losses.length < 3 },
        encoding: { x, y },
      },
      // At either end, so that they stay apart where both errors are nearly the same.
      ...rules.flatMap((rule, i) =>
        haloed({
          data: { values: [rule] },
          mark: i === 0 ? { align: 'right', dx: -3, dy: -7 } : { align: 'left', dx: 4, dy: 9 },
          encoding: {
            x: { value: i === 0 ? NARROW - 60 : 0 },
            y: { ...y, field: 'error' },
            text: { field: 'text' },
          },
        }),
      ),
      ...haloed({
        data: { values: last === undefined ? [] : [last] },
        mark: { align: 'right', dx: -3, dy: 13 },
        encoding: { x, y, text: { value: `autoencoder ${figure(last?.loss ?? Number.NaN)}` } },
      }),
    ],
  }
  const against = rules.map(({ text }) => text).join(', ')
  return {
    name: 'autoencoder-loss',
    title: 'Loss of the autoencoder by epoch',
    description: `Line from ${figure(losses[0] ?? Number.NaN)} to ${figure(last?.loss ?? Number.NaN)} over ${losses.length} epochs${against === '' ? '' : `; rules: ${against}`}${plateau === null ? '' : `; plateau in epochs ${plateau.fromEpoch} to ${plateau.toEpoch}`}.`,
    spec,
  }
}

export interface ClusteringLosses {
  updates: readonly { iteration: number; changed: number; divergence: number; squaredError: number }[]
  /** DEC stops when a smaller share changes. */
  tolerance: number
}

/** Null when DEC made no step between two updates, so that there is nothing to draw. */
export function clusteringPicture({ updates, tolerance }: ClusteringLosses): Picture | null {
  // At the first update every assignment is new and no step has been made.
  const values = updates.slice(1)
  const last = values.at(-1)
  if (last === undefined) return null
  const points = values.length < 40
  const panel = (field: string, title: string, color: string, isLast: boolean, rule: boolean) => ({
    width: NARROW - 70,
    height: 88,
    layer: [
      ...(rule
        ? [
            {
              data: { values: [{ at: tolerance }] },
              mark: { type: 'rule' as const, color: VERMILLION, strokeDash: [5, 3], strokeWidth: 1.2 },
              encoding: { y: { field: 'at', type: 'quantitative' as const } },
            },
            ...haloed({
              data: { values: [{ at: tolerance }] },
              mark: { align: 'left', dx: 4, dy: -7 },
              encoding: {
                x: { value: 0 },
                y: { field: 'at', type: 'quantitative' },
                text: { value: `tolerance ${percent(tolerance)}` },
              },
            }),
          ]
        : []),
      {
        data: { values },
        mark: { type: 'line' as const, color, strokeWidth: 2, point: points && { color, size: 18 } },
        encoding: {
          x: {
            field: 'iteration',
            type: 'quantitative' as const,
            title: isLast ? 'iteration' : null,
            scale: { nice: false, zero: false },
            axis: { labels: isLast },
          },
          y: {
            field,
            type: 'quantitative' as const,
            title,
            scale: rule ? { type: 'symlog' as const, constant: tolerance, zero: true } : { zero: false },
            axis: rule
              ? { format: '~%', values: decades(tolerance, Math.max(...values.map((v) => v.changed))) }
              : { format: '~g', tickCount: 3 },
          },
        },
      },
    ],
  })
  const spec: TopLevelSpec = {
    title: 'DEC by iteration',
    spacing: 10,
    vconcat: [
      panel('divergence', 'KL(p‖q)', BLUE, false, false),
      panel('squaredError', 'squared error', GREEN, false, false),
      panel('changed', 'changed mode', ORANGE, true, true),
    ],
  } as TopLevelSpec
  return {
    name: 'dec-loss',
    title: 'Losses of DEC by iteration',
    description: `Three lines over ${last.iteration} iterations. At the end: Kullback–Leibler divergence ${figure(last.divergence)}, mean squared error ${figure(last.squaredError)}, ${percent(last.changed)} of the windows changed their mode; tolerance ${percent(tolerance)}.`,
    spec,
  }
}

/** 0, the tolerance and the powers of ten (and their halves at the top) between it and the largest value. */
function decades(tolerance: number, largest: number): number[] {
  const ticks = [0]
  for (let tick = 10 ** Math.ceil(Math.log10(tolerance)); tick <= 1; tick *= 10) {
    if (tick <= largest) ticks.push(tick)
    if (5 * tick <= Math.min(1, largest)) ticks.push(5 * tick)
  }
  return ticks
}

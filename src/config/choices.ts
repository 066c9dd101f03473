/** What a key of the search space may be. */

/** Numbers from `min` to `max`, both included; with `log` each decade is as likely as the next. */
export interface Range {
  min: number
  max: number
  scale: 'linear' | 'log'
}

/** A list of values, each as likely, or a range of numbers. */
export type Choices = readonly unknown[] | Range

/** By key of `training`; the keys of a training stage stand in a section of their own. */
export interface SpaceConfig {
  [key: string]: Choices | SpaceConfig
}

/** One key of `training` and what it may be; keys of a stage are written `pretrain.batch`. */
export interface Dimension {
  key: string
  choices: Choices
}

export function dimensions(space: SpaceConfig): Dimension[] {
  return Object.entries(space).flatMap(([key, inner]) =>
    isChoices(inner)
      ? [{ key, choices: inner }]
      : dimensions(inner).map(({ key: sub, choices }) => ({ key: `${key}.${sub}`, choices })),
  )
}

function isChoices(value: Choices | SpaceConfig): value is Choices {
  return Array.isArray(value) || typeof (value as Partial<Range>).min === 'number'
}

export function isRange(choices: Choices): choices is Range {
  return !Array.isArray(choices)
}

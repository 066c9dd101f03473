/** What vega exports but its typings leave out. */
import 'vega'

declare module 'vega' {
  export const textMetrics: {
    /** Width of a text mark's line, px. */
    width(item: { text?: unknown; fontSize?: number }, text?: unknown): number
  }
}

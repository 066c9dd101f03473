/** How a long work tells of itself; `cli/output.ts` draws it. */
export interface Progress {
  step(
    name: string,
    total?: number,
  ): { advance(done: number, note?: string): void; finish(note?: string): void }
}

/**
 * Loads what each item names into one of two buffers, in turn: the next while the one handed out is worked on. A buffer
 * is valid until the next step of the iteration.
 */
export async function* loadAhead<T, B>(
  items: Iterator<T, void>,
  buffers: readonly [B, B],
  load: (item: T, into: B) => Promise<void>,
): AsyncGenerator<{ item: T; buffer: B }> {
  let turn: 0 | 1 = 0
  const start = (): Promise<{ item: T; buffer: B } | null> => {
    const { value: item, done } = items.next()
    if (done === true || item === undefined) return Promise.resolve(null)
    const buffer = buffers[turn]
    turn = turn === 0 ? 1 : 0
    const loading = load(item, buffer).then(() => ({ item, buffer }))
    // Awaited later; until then a failure must not count as unhandled.
    loading.catch(() => {})
    return loading
  }
  let next = start()
  try {
    for (;;) {
      const current = await next
      if (current === null) return
      next = start()
      yield current
    }
  } finally {
    // Who leaves early may close the file next.
    await next.catch(() => {})
  }
}

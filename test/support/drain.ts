import type { Source, SourceRecord } from '../../src/sources/source.ts'

/** Every batch of records of a bounded source, to its end. */
export async function* drain(source: Source): AsyncGenerator<SourceRecord[]> {
  await source.start()
  for (;;) {
    const event = await source.poll(1000)
    if (event.kind === 'end') return
    if (event.kind === 'records') yield event.records
  }
}

/** All of them. */
export async function allRecords(source: Source): Promise<SourceRecord[]> {
  const records: SourceRecord[] = []
  for await (const batch of drain(source)) records.push(...batch)
  return records
}

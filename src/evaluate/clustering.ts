/**
 * How well a clustering agrees with labels. Every function takes one whole number a row twice: the assignment to clusters
 * and the label; the numbers are names only, any renaming of either gives the same figure. Throws a RangeError when the two
 * differ in length, are empty, or hold something else than whole numbers.
 */

/** How many rows carry cluster r and label c, with sums; clusters and labels are numbered in order of appearance. */
interface Contingency {
  rows: number
  /** clusters × labels, row-major. */
  counts: Float64Array
  clusters: Float64Array
  labels: Float64Array
}

/**
 * Clustering accuracy: the largest share of rows that a one-to-one matching of clusters and labels puts right (Xie, Girshick &
 * Farhadi 2016, eq. 10), between 0 and 1. Where the two numbers of names differ, the names left over count as wrong.
 */
export function clusterAccuracy(assignment: ArrayLike<number>, labels: ArrayLike<number>): number {
  const table = contingency(assignment, labels)
  const columns = table.labels.length
  const costs = table.counts.map((count) => -count)
  const matched = minimumCostMatching(costs, table.clusters.length, columns)
  let right = 0
  for (const [cluster, label] of matched.entries()) {
    if (label >= 0) right += at(table.counts, cluster * columns + label)
  }
  return right / table.rows
}

/**
 * Normalised mutual information: 2·I(assignment; labels) / (H(assignment) + H(labels)), the arithmetic mean of scikit-learn's
 * default, between 0 and 1. As there, 1 when both hold a single name.
 */
export function normalisedMutualInformation(
  assignment: ArrayLike<number>,
  labels: ArrayLike<number>,
): number {
  const { rows, counts, clusters, labels: sums } = contingency(assignment, labels)
  if (clusters.length === 1 && sums.length === 1) return 1
  let information = 0
  for (const [i, count] of counts.entries()) {
    if (count === 0) continue
    const expected = (at(clusters, Math.floor(i / sums.length)) * at(sums, i % sums.length)) / rows
    information += (count / rows) * Math.log(count / expected)
  }
  // Rounding can take independent names slightly below 0 and equal ones slightly above 1.
  const normalised = (2 * information) / (entropy(clusters, rows) + entropy(sums, rows))
  return Math.min(1, Math.max(0, normalised))
}

/**
 * Rand index over pairs of rows, adjusted for chance (Hubert & Arabie 1985): 1 for equal partitions, about 0 for independent
 * ones, at least −0.5.
 */
export function adjustedRandIndex(assignment: ArrayLike<number>, labels: ArrayLike<number>): number {
  const { rows, counts, clusters, labels: sums } = contingency(assignment, labels)
  const together = pairs(counts)
  const ofClusters = pairs(clusters)
  const ofLabels = pairs(sums)
  if (together === ofClusters && together === ofLabels) return 1
  const expected = (ofClusters * ofLabels) / pairs(Float64Array.of(rows))
  return (together - expected) / ((ofClusters + ofLabels) / 2 - expected)
}

/**
 * The matching of rows and columns of a cost matrix with the least sum, by shortest augmenting paths with potentials
 * (Kuhn 1955, Munkres 1957; O(rows² · columns), Jonker & Volgenant 1987). `costs` is rows × columns, row-major and finite.
 * Returns the column of each row; −1 for the rows left over where there are more rows than columns.
 */
export function minimumCostMatching(costs: Float64Array, rows: number, columns: number): Int32Array {
  if (rows > columns) {
    const transposed = new Float64Array(costs.length)
    for (const [i, cost] of costs.entries()) transposed[(i % columns) * rows + Math.floor(i / columns)] = cost
    const result = new Int32Array(rows).fill(-1)
    for (const [column, row] of minimumCostMatching(transposed, columns, rows).entries()) result[row] = column
    return result
  }
  const rowPotential = new Float64Array(rows)
  const potential = new Float64Array(columns)
  const rowOf = new Int32Array(columns).fill(-1)
  for (let start = 0; start < rows; start++) {
    // Dijkstra over reduced costs from the unmatched row `start` to the nearest unmatched column.
    const distance = new Float64Array(columns).fill(Infinity)
    const before = new Int32Array(columns).fill(-1)
    const visited = new Uint8Array(columns)
    let row = start
    let column = -1
    let length = 0
    do {
      let next = -1
      for (let c = 0; c < columns; c++) {
        if (visited[c] === 1) continue
        const reduced = length + at(costs, row * columns + c) - at(rowPotential, row) - at(potential, c)
        if (reduced < at(distance, c)) {
          distance[c] = reduced
          before[c] = column
        }
        if (next < 0 || at(distance, c) < at(distance, next)) next = c
      }
      column = next
      length = at(distance, column)
      visited[column] = 1
      row = at(rowOf, column)
    } while (row >= 0)
    rowPotential[start] = at(rowPotential, start) + length
    for (let c = 0; c < columns; c++) {
      if (visited[c] === 0) continue
      const slack = length - at(distance, c)
      potential[c] = at(potential, c) - slack
      const owner = at(rowOf, c)
      if (owner >= 0) rowPotential[owner] = at(rowPotential, owner) + slack
    }
    while (column >= 0) {
      const previous = at(before, column)
      rowOf[column] = previous < 0 ? start : at(rowOf, previous)
      column = previous
    }
  }
  const result = new Int32Array(rows)
  for (const [column, row] of rowOf.entries()) if (row >= 0) result[row] = column
  return result
}

function contingency(assignment: ArrayLike<number>, labels: ArrayLike<number>): Contingency {
  const rows = assignment.length
  if (labels.length !== rows) throw new RangeError(`${rows} assignments, but ${labels.length} labels`)
  if (rows === 0) throw new RangeError('no row to compare: assignment and labels are empty')
  const clusterOf = numberNames(assignment, 'assignment')
  const labelOf = numberNames(labels, 'label')
  const columns = labelOf.count
  const counts = new Float64Array(clusterOf.count * columns)
  const clusters = new Float64Array(clusterOf.count)
  const sums = new Float64Array(columns)
  for (const [row, cluster] of clusterOf.numbers.entries()) {
    const label = at(labelOf.numbers, row)
    add(counts, cluster * columns + label)
    add(clusters, cluster)
    add(sums, label)
  }
  return { rows, counts, clusters, labels: sums }
}

function numberNames(names: ArrayLike<number>, what: string): { numbers: Int32Array; count: number } {
  const known = new Map<number, number>()
  const numbers = Int32Array.from(names, (name, row) => {
    if (!Number.isInteger(name)) throw new RangeError(`${what} ${name} in row ${row} is not a whole number`)
    const number = known.get(name) ?? known.size
    known.set(name, number)
    return number
  })
  return { numbers, count: known.size }
}

function entropy(sums: Float64Array, rows: number): number {
  return sums.reduce((h, sum) => h - (sum / rows) * Math.log(sum / rows), 0)
}

/** Pairs of rows within the same group, summed over the groups. */
function pairs(groups: Float64Array): number {
  return groups.reduce((sum, size) => sum + (size * (size - 1)) / 2, 0)
}

function add(counts: Float64Array, index: number): void {
  counts[index] = at(counts, index) + 1
}

function at(array: Float64Array | Int32Array, index: number): number {
  return array[index]! // every caller's loop keeps the index within the array
}

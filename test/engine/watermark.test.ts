import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Watermark } from '../../src/engine/watermark.ts'

const IDLE = 30_000
const NOW = 1_000_000_000
/** Far from the steady clock, as it is. */
const WALL = 1_700_000_000_000
const at = (partition: number, position: number, end: number) => ({ partition, position, end })

test('the slowest partition holds the others back', () => {
  const watermark = new Watermark([0, 1], IDLE, NOW)
  watermark.observe(0, 500, NOW)
  assert.equal(watermark.advance([at(0, 5, 9), at(1, 0, 9)], NOW, WALL), Number.NEGATIVE_INFINITY)
  watermark.observe(1, 300, NOW)
  assert.equal(watermark.advance([at(0, 5, 9), at(1, 1, 9)], NOW, WALL), 300)
})

test('a partition read to its end stops holding back after the idle time-out, one with a lag never', () => {
  const watermark = new Watermark([0, 1], IDLE, NOW)
  watermark.observe(0, 500, NOW)
  watermark.observe(1, 300, NOW)
  const later = NOW + IDLE
  watermark.observe(0, 900, later)
  assert.equal(watermark.advance([at(0, 9, 9), at(1, 3, 4)], later, WALL), 300)
  assert.equal(watermark.advance([at(0, 9, 9), at(1, 4, 4)], later - 1, WALL), 300)
  assert.equal(watermark.advance([at(0, 9, 9), at(1, 4, 4)], later, WALL), 900)
})

test('while everything is idle the clock leads; records of the past take over again', () => {
  const watermark = new Watermark([0], IDLE, NOW)
  watermark.observe(0, 500, NOW)
  assert.equal(watermark.advance([at(0, 1, 1)], NOW + IDLE, WALL), WALL)
  watermark.observe(0, 800, NOW + IDLE)
  assert.equal(watermark.advance([at(0, 2, 2)], NOW + IDLE, WALL), 800)
})

test('samples out of order do not turn it back', () => {
  const watermark = new Watermark([0], IDLE, NOW)
  watermark.observe(0, 500, NOW)
  assert.equal(watermark.advance([at(0, 1, 2)], NOW, WALL), 500)
  watermark.observe(0, 400, NOW)
  assert.equal(watermark.advance([at(0, 2, 2)], NOW, WALL), 500)
})

test('a partition that another member has taken over does not count', () => {
  const watermark = new Watermark([0], IDLE, NOW)
  watermark.observe(7, 100, NOW)
  watermark.observe(0, 500, NOW)
  assert.equal(watermark.advance([at(0, 1, 2), at(7, 1, 2)], NOW, WALL), 500)
})

test('an assignment that is being taken away does not move it, least of all to the clock', () => {
  const watermark = new Watermark([0, 1], IDLE, NOW)
  watermark.observe(0, 500, NOW)
  watermark.observe(1, 400, NOW)
  assert.equal(watermark.advance([at(0, 1, 1), at(1, 1, 1)], NOW, WALL), 400)
  watermark.observe(1, 600, NOW)
  assert.equal(watermark.advance([], NOW, WALL), 400)
  assert.equal(watermark.advance([at(0, 1, 1)], NOW + 2 * IDLE, WALL), 400)
})

test('a step of the wall clock, forward or back, is no idleness', () => {
  const watermark = new Watermark([0], IDLE, NOW)
  watermark.observe(0, 500, NOW)
  const hour = 3_600_000
  for (const wall of [WALL, WALL + hour, WALL - hour]) {
    assert.equal(watermark.advance([at(0, 1, 1)], NOW + IDLE - 1, wall), 500)
  }
})

#!/usr/bin/env node
// Starts examon-dec from the sources in a clone and from dist/ in an installed package. Plain JavaScript of an old
// kind, so that a Node that is too old gets as far as the message below.
import { spawn } from 'node:child_process'
import { existsSync, readFileSync, realpathSync } from 'node:fs'
import { dirname, join, sep } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const { engines } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
const needed = engines.node.replace(/^[^0-9]*/, '')
const bundledNode = join(root, 'node_modules', 'node', 'bin', 'node')
const argv = process.argv.slice(2)

if (isAtLeast(process.versions.node, needed)) {
  await start()
} else if (existsSync(bundledNode) && realpathSync(bundledNode) !== process.execPath) {
  // A clone brings a newer Node as a development dependency.
  restart(bundledNode)
} else {
  process.stderr.write(`examon-dec needs Node ${needed} or newer; this is ${process.versions.node}\n`)
  process.exitCode = 2
}

/** @param {string} version @param {string} least */
function isAtLeast(version, least) {
  const [have, want] = [version, least].map((text) => text.split('.').map(Number))
  const differs = want.findIndex((part, i) => part !== have[i])
  return differs === -1 || have[differs] > want[differs]
}

async function start() {
  const sources = join(root, 'src', 'cli', 'main.ts')
  const built = join(root, 'dist', 'cli', 'main.js')
  // Node strips types everywhere but below node_modules, where packages live.
  const inClone = existsSync(sources) && !root.split(sep).includes('node_modules')
  const { main } = await import(pathToFileURL(inClone ? sources : built).href)
  process.exitCode = await main(argv)
}

/** Runs this script with another Node; signals and the exit status pass through. @param {string} node */
function restart(node) {
  /** @type {import('node:child_process').ChildProcess | undefined} */
  let child
  // Before the child begins: a signal between its start and a later handler would end this process alone.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child?.kill(signal))
  child = spawn(node, [fileURLToPath(import.meta.url), ...argv], { stdio: 'inherit' })
  child.on('error', (error) => {
    process.stderr.write(`examon-dec: cannot start ${node}: ${error.message}\n`)
    process.exitCode = 1
  })
  child.on('exit', (code, signal) => {
    if (signal) {
      process.removeAllListeners(signal)
      process.kill(process.pid, signal)
    } else {
      process.exitCode = code ?? 1
    }
  })
}

/** Every command that a page or a help text shows: followed by a walk, or of a verb and with options that there are. */
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import type { Command } from 'commander'
import { wholeProgram } from '../src/cli/main.ts'
import { documented, NOT_WALKED, PAGES, WALKED, whyNotWalked } from './support/documented.ts'

const root = join(import.meta.dirname, '..')
const read = (path: string): string => readFileSync(join(root, path), 'utf8')
const all = PAGES.flatMap((page) => documented(page))
const program = await wholeProgram()

test('each command is followed by a walk, or it says here why not', () => {
  const isWalked = (page: string, heading: string) =>
    WALKED.some((one) => one.page === page && one.headings.includes(heading))
  assert.deepEqual(
    all.filter(
      ({ page, heading, command }) => !isWalked(page, heading) && whyNotWalked(command) === undefined,
    ),
    [],
  )
})

test('no walk and no exception is about what is not there', () => {
  for (const { page, headings, by } of WALKED) {
    assert.ok(existsSync(join(root, by)), by)
    assert.ok(read(by).includes(page), page)
    for (const heading of headings)
      assert.notEqual(documented(page, heading).length, 0, `${page}, ${heading}`)
  }
  for (const { command } of NOT_WALKED)
    assert.ok(
      all.some((one) => command.test(one.command)),
      String(command),
    )
})

/** What is wrong with `VERB [VERB] … --option …`, or null. */
function mistake(words: readonly string[]): string | null {
  let command: Command = program
  let at = 0
  for (; at < words.length; at++) {
    const inner = command.commands.find((one) => one.name() === words[at])
    if (inner === undefined) break
    command = inner
  }
  if (at === 0) return `no verb ${words[0]}`
  for (const word of words.slice(at)) {
    const option = /^--[\w-]+/.exec(word)?.[0]
    if (option !== undefined && option !== '--help' && !command.options.some((one) => one.long === option))
      return `${command.name()} has no ${option}`
  }
  return null
}

/** `VERB` and `FILE` in prose stand for any. */
const isSample = (words: readonly string[]): boolean => /^[A-Z]+$/.test(words[0] ?? '') || words.length === 0

for (const page of PAGES)
  test(`${page}: verbs and options exist`, () => {
    const lines = [
      ...documented(page).map((one) => one.command),
      ...[...read(page).matchAll(/`([^`\n]*examon-dec [^`\n]*)`/g)].map(([, line = '']) => line),
    ]
    for (const line of lines) {
      for (const [, rest = ''] of line.matchAll(/(?:^|[\s/])examon-dec ((?:[a-z]|VERB)[^|&]*)/g)) {
        if (/systemctl|journalctl|dpkg|helm|docker|npm install|sysusers|tmpfiles|-g examon-dec/.test(line))
          continue
        // `-u examon-dec examon-dec VERB`: the user comes first.
        const words = rest
          .replace(/^.*(?:^|[\s/])examon-dec /, '')
          .replace(/^env \S+ /, '')
          .split(/\s+/)
        if (!isSample(words)) assert.equal(mistake(words), null, line)
      }
    }
  })

test('a verb or option that is not there is found', () => {
  assert.equal(mistake(['bootstrap', '--history', 'x', '--out', 'y']), null)
  assert.equal(mistake(['check', 'config', '--json']), null)
  assert.equal(mistake(['train']), 'no verb train')
  assert.equal(mistake(['check', 'config', '--out', 'x']), 'config has no --out')
})

test('examples of the help texts have verbs and options that there are', () => {
  const texts: string[] = []
  const collect = (command: Command): void => {
    command.configureOutput({ writeOut: (text) => texts.push(text) })
    command.outputHelp()
    for (const inner of command.commands) collect(inner)
  }
  collect(program)
  let count = 0
  for (const [, line = ''] of texts.join('\n').matchAll(/^ {2}\$ (.*)$/gm)) {
    for (const [, words = ''] of line.matchAll(/(?:^|&& |\| )examon-dec ([^|&>]*)/g)) {
      assert.equal(mistake(words.trim().split(/\s+/)), null, line)
      count++
    }
  }
  assert.ok(count > 20, `${count}`)
})

/** The commands that the pages show, as a reader would copy them. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const root = join(import.meta.dirname, '../..')

/** README, deployment and everything in docs. */
export const PAGES: readonly string[] = [
  'README.md',
  'deploy/README.md',
  ...readdirSync(join(root, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
]

export interface Documented {
  page: string
  /** The nearest heading above, without its marks. */
  heading: string
  /** One line, whatever it was broken into, without its comment. */
  command: string
}

/** Every command of every `sh` block of a page, in order. */
export function documented(page: string, heading?: string): Documented[] {
  const commands: Documented[] = []
  let current = ''
  let block: string[] | null = null
  for (const line of readFileSync(join(root, page), 'utf8').split('\n')) {
    if (/^ *```/.test(line)) {
      for (const command of (block ?? [])
        .join('\n')
        .replace(/\\\n\s*/g, ' ')
        .split('\n'))
        if (command.trim() !== '')
          commands.push({ page, heading: current, command: command.replace(/\s{2,}#.*$/, '').trim() })
      block = block === null && /^ *```sh$/.test(line) ? [] : null
    } else if (block !== null) block.push(line)
    else if (line.startsWith('#')) current = line.replace(/^#+ /, '')
  }
  return heading === undefined ? commands : commands.filter((one) => one.heading === heading)
}

/** What is followed as written, by section: on this machine, with real servers. */
export const WALKED: readonly { page: string; headings: readonly string[]; by: string }[] = [
  {
    page: 'README.md',
    headings: ['First use on your own data', 'From Kafka', 'From MQTT', 'Then'],
    by: 'test/walk/first-use.check.ts',
  },
  { page: 'docs/evaluation.md', headings: ['Evaluation'], by: 'test/walk/first-use.check.ts' },
  { page: 'docs/api.md', headings: ['JSON API'], by: 'test/walk/first-use.check.ts' },
  {
    page: 'deploy/README.md',
    headings: ['With the Debian package', 'With npm', 'To train anew every week'],
    by: 'test/walk/install.check.ts',
  },
]

/** What no walk runs as it stands, and why; test/docs-commands.test.ts still looks at verbs and options. */
export const NOT_WALKED: readonly { command: RegExp; why: string }[] = [
  { command: /^npm (ci|test|run (demo|lint|typecheck))\b/, why: '.ci/run does' },
  { command: /^sudo editor /, why: 'the walk writes what an operator would type' },
  { command: /systemctl|^journalctl/, why: 'needs a running systemd; the walk starts what the units start' },
  {
    command: /^docker build /,
    why: 'needs Docker; test/walk/image.check.ts runs the lines of the Dockerfile',
  },
  { command: /^helm install /, why: 'needs a cluster; test/deploy/helm.test.ts renders the same command' },
  { command: /^kubectl /, why: 'needs a cluster; test/deploy/kubernetes.test.ts checks the manifests' },
  { command: /test\/fidelity\/mnist\.ts/, why: 'needs the digits, and an hour' },
  {
    command: /--preset report|report-short|report-data/,
    why: 'hours; test/cli and test/tune run it on less data',
  },
  { command: /^npx examon-dec tune /, why: 'hours; test/tune runs it on less data' },
]

export function whyNotWalked(command: string): string | undefined {
  return NOT_WALKED.find((one) => one.command.test(command))?.why
}

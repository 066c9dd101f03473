/**
 * `npm run manifests`: renders deploy/kubernetes from the chart in deploy/helm, after copying rules and dashboards into the
 * chart. Needs helm 3. Each manifest begins with a digest of the chart, by which a test sees that it is up to date where
 * there is no helm.
 */
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const DEPLOY = join(import.meta.dirname, '../../deploy')
export const CHART = join(DEPLOY, 'helm')
const MANIFESTS = join(DEPLOY, 'kubernetes')
/** Helm asks no cluster when it renders. */
export const KUBE_VERSION = '1.33.0'
/** Manifest by template; the values beside the defaults are those a manifest is for. */
const RENDERED: Readonly<Record<string, { template: string; set?: string }>> = {
  'configmap.yaml': { template: 'configmap' },
  'service.yaml': { template: 'service' },
  'statefulset.yaml': { template: 'daemon' },
  'model.yaml': { template: 'models', set: 'loader.enabled=true' },
  'networkpolicy.yaml': { template: 'networkpolicy', set: 'networkPolicy.enabled=true' },
}
/** What the chart holds copies of, for a chart can not reach outside its folder. */
export const COPIES: readonly [from: string, to: string][] = [
  ['prometheus/examon-dec.rules.yml', 'files/examon-dec.rules.yml'],
  ...readdirSync(join(DEPLOY, 'grafana/dashboards')).map((name): [string, string] => [
    `grafana/dashboards/${name}`,
    `files/dashboards/${name}`,
  ]),
]

/** The first line of every manifest that this chart renders. */
export function banner(): string {
  const hash = createHash('sha256')
  for (const path of readdirSync(CHART, { recursive: true, encoding: 'utf8' }).sort()) {
    const file = join(CHART, path)
    if (statSync(file).isFile()) hash.update(path).update('\0').update(readFileSync(file)).update('\0')
  }
  return `# Rendered from deploy/helm by npm run manifests; chart ${hash.digest('hex').slice(0, 16)}`
}

/** What helm makes of the chart; throws with its message. */
export function render(template: string | null, ...set: string[]): string {
  const only = template === null ? [] : ['--show-only', `templates/${template}.yaml`]
  const values = set.flatMap((one) => ['--set', one])
  const args = ['template', 'examon-dec', CHART, '--kube-version', KUBE_VERSION, ...only, ...values]
  return execFileSync('helm', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
}

/** The manifests as they should stand in deploy/kubernetes, by name. */
export function manifests(): Map<string, string> {
  const head = banner()
  return new Map(
    Object.entries(RENDERED).map(([name, { template, set }]) => [
      name,
      `${head}\n${render(template, ...(set === undefined ? [] : [set])).replace(/^---\n# Source: .*\n/gm, (_, at) => (at === 0 ? '' : '---\n'))}`,
    ]),
  )
}

if (process.argv[1] === import.meta.filename) {
  rmSync(join(CHART, 'files'), { recursive: true, force: true })
  mkdirSync(join(CHART, 'files/dashboards'), { recursive: true })
  for (const [from, to] of COPIES) cpSync(join(DEPLOY, from), join(CHART, to))
  for (const [name, text] of manifests()) writeFileSync(join(MANIFESTS, name), text)
}

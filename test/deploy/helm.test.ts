/** The chart and what was rendered from it, by helm and the schemas of Kubernetes where they are to be had. */
import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { Ajv } from 'ajv'
import { parse, parseAllDocuments } from 'yaml'
import { loadRunConfig } from '../../src/config/load.ts'
import { documented } from '../support/documented.ts'
import { banner, CHART, COPIES, KUBE_VERSION, manifests, render } from '../support/manifests.ts'
import { has } from '../support/walk.ts'

const DEPLOY = join(CHART, '..')
const read = (path: string): string => readFileSync(path, 'utf8')
const scratch = mkdtempSync(join(tmpdir(), 'examon-dec-helm-'))
after(() => rmSync(scratch, { recursive: true }))

/** Everything that the chart can make. */
const ALL = [
  'replicas=2',
  'loader.enabled=true',
  'bootstrap.enabled=true',
  'retrain.enabled=true',
  'history.claim=history',
  'networkPolicy.enabled=true',
  'serviceMonitor.enabled=true',
  'prometheusRule.enabled=true',
  'dashboards.enabled=true',
  'secretEnv=env',
  'secretFiles=files',
]

test('the manifests are those of this chart (npm run manifests)', () => {
  for (const name of readdirSync(join(DEPLOY, 'kubernetes')))
    assert.equal(read(join(DEPLOY, 'kubernetes', name)).split('\n', 1)[0], banner(), name)
})

test('rules and dashboards of the chart are those beside it (npm run manifests)', () => {
  for (const [from, to] of COPIES) assert.equal(read(join(CHART, to)), read(join(DEPLOY, from)), to)
})

test('the version is that of the package', () => {
  const chart = parse(read(join(CHART, 'Chart.yaml'))) as { version: string; appVersion: string }
  const { version } = JSON.parse(read(join(DEPLOY, '../package.json'))) as { version: string }
  assert.deepEqual([chart.version, chart.appVersion], [version, version])
})

describe('values', () => {
  const validate = new Ajv({ strict: false, allErrors: true }).compile(
    JSON.parse(read(join(CHART, 'values.schema.json'))),
  )
  const defaults = (): Record<string, Record<string, unknown>> => parse(read(join(CHART, 'values.yaml')))

  test('the defaults are allowed, and the schema knows each of them', () => {
    assert.ok(validate(defaults()), JSON.stringify(validate.errors))
    const { properties } = validate.schema as { properties: object }
    assert.deepEqual(
      Object.keys(properties).sort(),
      [...Object.keys(defaults()), 'global'].sort(),
      'global is what parent charts give',
    )
  })

  const wrong: [string, object][] = [
    ['a name that is none', { replica: 2 }],
    ['another kind', { kind: 'DaemonSet' }],
    ['half a pod', { replicas: 1.5 }],
    ['a privileged port', { config: { ...defaults().config, http: { host: '0.0.0.0', port: 80 } } }],
    ['no sink', { config: { ...defaults().config, sinks: [] } }],
    ['a model outside the volume', { config: { ...defaults().config, model: 'models/x' } }],
    ['a schedule of four fields', { retrain: { enabled: true, schedule: '0 3 * *' } }],
    ['a volume of no size', { models: { size: 'big' } }],
    ['an interval without unit', { serviceMonitor: { enabled: true, interval: '30' } }],
    ['a port beyond the last', { networkPolicy: { ports: [99_464] } }],
  ]
  for (const [what, values] of wrong)
    test(`${what} is refused`, () => assert.ok(!validate({ ...defaults(), ...values })))
})

describe('helm', { skip: has('helm') ? false : 'NO HELM: THE CHART IS NOT RENDERED' }, () => {
  const refusal = (...set: string[]): string => {
    try {
      render(null, ...set)
    } catch (error) {
      return String((error as { stderr: string }).stderr)
    }
    return 'not refused'
  }

  test('lint --strict', () => {
    execFileSync('helm', ['lint', '--strict', '--kube-version', KUBE_VERSION, CHART], { stdio: 'pipe' })
  })

  test('deploy/kubernetes is what the chart renders', () => {
    for (const [name, text] of manifests()) assert.equal(read(join(DEPLOY, 'kubernetes', name)), text, name)
  })

  test('every object has a name of its own, and every pod the rights of the daemon', () => {
    const documents = parseAllDocuments(render(null, ...ALL)).map((document) => document.toJS())
    const names = documents.map(({ kind, metadata }) => `${kind} ${metadata.name}`)
    assert.equal(new Set(names).size, names.length)
    const kinds = documents.map(({ kind }) => kind).sort()
    const expected =
      'ConfigMap ConfigMap ConfigMap ConfigMap CronJob Job NetworkPolicy PersistentVolumeClaim Pod ' +
      'PodDisruptionBudget PrometheusRule Service ServiceMonitor StatefulSet'
    assert.equal(kinds.join(' '), expected)
    const pods = documents.flatMap(({ kind, spec }) => {
      if (kind === 'Pod') return [spec]
      if (kind === 'CronJob') return [spec.jobTemplate.spec.template.spec]
      return spec?.template === undefined ? [] : [spec.template.spec]
    })
    assert.equal(pods.length, 4)
    for (const pod of pods) {
      assert.equal(pod.automountServiceAccountToken, false)
      assert.equal(pod.securityContext.runAsNonRoot, true)
      assert.equal(pod.containers[0].securityContext.readOnlyRootFilesystem, true)
      assert.deepEqual(pod.containers[0].securityContext.capabilities, { drop: ['ALL'] })
    }
  })

  test('a Deployment: no member name, one pod replaced and not doubled, the configuration is valid', () => {
    const text = render('daemon', 'kind=Deployment')
    assert.match(text, /^kind: Deployment$/m)
    assert.match(text, /type: Recreate/)
    assert.doesNotMatch(text, /serviceName/)
    const map = parse(render('configmap', 'kind=Deployment')) as { data: Record<string, string> }
    const file = join(scratch, 'config.yaml')
    writeFileSync(file, map.data['config.yaml'] ?? '')
    const { source } = loadRunConfig(file, {})
    assert.ok(source.type === 'kafka' && source.instance_id === undefined)
  })

  test('the command of the deployment page renders as it stands, and its configuration is valid', () => {
    const [install = ''] = documented('deploy/README.md', 'With Helm').map((one) => one.command)
    const args = ['-c', install.replace('helm install', `helm template --kube-version ${KUBE_VERSION}`)]
    const rendered = execFileSync('bash', args, { cwd: join(DEPLOY, '..'), encoding: 'utf8' })
    const maps = parseAllDocuments(rendered).map((document) => document.toJS())
    const file = join(scratch, 'documented.yaml')
    writeFileSync(file, maps.find((map) => map.kind === 'ConfigMap').data['config.yaml'])
    const { source, sinks } = loadRunConfig(file, { POD_NAME: 'examon-dec-0' })
    assert.ok(source.type === 'kafka' && sinks[0]?.type === 'kafka')
    assert.deepEqual(
      [source.brokers, sinks[0].brokers],
      [['kafka.example.org:9092'], ['kafka.example.org:9092']],
    )
  })

  test('the rules arrive as they are', () => {
    const [rule] = parseAllDocuments(render('prometheus', 'prometheusRule.enabled=true'))
      .map((document) => document.toJS())
      .filter((document) => document?.kind === 'PrometheusRule')
    assert.deepEqual(rule.spec, parse(read(join(DEPLOY, 'prometheus/examon-dec.rules.yml'))))
  })

  test('what makes no sense is refused with what to do', () => {
    assert.match(refusal('retrain.enabled=true'), /history\.claim is missing/)
    assert.match(refusal('kind=DaemonSet'), /kind/)
    assert.match(
      refusal('kind=Deployment', 'replicas=2', 'config.source.instance_id=a'),
      /use kind: StatefulSet/,
    )
  })

  test('the schemas of Kubernetes allow everything', {
    skip: has('kubernetes-validate')
      ? false
      : 'NO kubernetes-validate: NOT COMPARED WITH THE SCHEMAS OF KUBERNETES',
  }, () => {
    for (const [i, set] of [ALL, ['kind=Deployment'], ['kind=Deployment', 'replicas=3']].entries()) {
      const file = join(scratch, `all-${i}.yaml`)
      writeFileSync(file, render(null, ...set))
      const { status, stdout, stderr } = spawnSync('kubernetes-validate', ['--strict', file], {
        encoding: 'utf8',
      })
      assert.equal(status, 0, stdout + stderr)
      // A kind that it does not know only warns.
      const unknown = [...(stdout + stderr).matchAll(/schema for kind (\w+)/g)].map(([, kind]) => kind)
      assert.deepEqual(unknown.sort(), set === ALL ? ['PrometheusRule', 'ServiceMonitor'] : [])
    }
  })
})

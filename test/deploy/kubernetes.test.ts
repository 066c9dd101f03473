import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { parseAllDocuments } from 'yaml'
import { loadRunConfig } from '../../src/config/load.ts'

interface Probe {
  httpGet: { path: string; port: string; scheme: string }
}
interface Container {
  image: string
  args?: string[]
  env?: { name: string }[]
  ports: { name: string; containerPort: number }[]
  startupProbe: Probe
  livenessProbe: Probe
  readinessProbe: Probe
  securityContext: {
    allowPrivilegeEscalation: boolean
    readOnlyRootFilesystem: boolean
    capabilities: { drop: string[] }
  }
  volumeMounts: { name: string; mountPath: string; readOnly?: boolean }[]
}
interface PodSpec {
  automountServiceAccountToken: boolean
  terminationGracePeriodSeconds?: number
  securityContext: { runAsNonRoot: boolean; runAsUser: number; seccompProfile: { type: string } }
  containers: [Container]
  volumes: { name: string; configMap?: { name: string }; persistentVolumeClaim?: { claimName: string } }[]
}
type Labels = Record<string, string>
interface Manifest<Spec = unknown> {
  kind: string
  metadata: { name: string; labels: Labels; annotations?: Labels }
  spec: Spec
  data?: Record<string, string>
}
interface StatefulSetSpec {
  serviceName: string
  selector: { matchLabels: Labels }
  template: { metadata: { labels: Labels }; spec: PodSpec }
}

const folder = new URL('../../deploy/kubernetes/', import.meta.url)
const manifests = readdirSync(folder).flatMap((name) =>
  parseAllDocuments(readFileSync(new URL(name, folder), 'utf8')).map((document) => {
    assert.deepEqual(document.errors, [], name)
    return document.toJS() as Manifest
  }),
)

function only<Spec>(kind: string): Manifest<Spec> {
  const found = manifests.filter((manifest) => manifest.kind === kind)
  assert.equal(found.length, 1, `exactly one ${kind}`)
  return found[0] as Manifest<Spec>
}

const statefulSet = only<StatefulSetSpec>('StatefulSet')
const service = only<{ selector: Labels; ports: { name: string; port: number; targetPort: string }[] }>(
  'Service',
)
const configMap = only('ConfigMap')
const claim = only('PersistentVolumeClaim')
const loader = only<PodSpec>('Pod')
const pod = statefulSet.spec.template.spec
const [container] = pod.containers

const scratch = mkdtempSync(join(tmpdir(), 'examon-dec-deploy-'))
after(() => rmSync(scratch, { recursive: true }))

function loadMounted() {
  const file = join(scratch, 'config.yaml')
  writeFileSync(file, configMap.data?.['config.yaml'] ?? '')
  const environment = Object.fromEntries((container.env ?? []).map(({ name }) => [name, 'examon-dec-0']))
  return loadRunConfig(file, environment)
}

test('the configuration is valid, with the variables that the pod sets', () => {
  const config = loadMounted()
  assert.ok(config.source.type === 'kafka')
  assert.equal(config.source.instance_id, 'examon-dec-0')
})

test('the port is one everywhere: configuration, container, probes, service, annotation', () => {
  const { http } = loadMounted()
  assert.equal(http.host, '0.0.0.0')
  assert.deepEqual(container.ports, [{ name: 'http', containerPort: http.port }])
  assert.deepEqual(service.spec.ports, [{ name: 'http', port: http.port, targetPort: 'http' }])
  assert.equal(service.metadata.annotations?.['prometheus.io/port'], String(http.port))
  assert.equal(service.metadata.annotations?.['prometheus.io/scrape'], 'true')
  assert.equal(service.metadata.annotations?.['prometheus.io/path'], '/metrics')
  for (const [probe, path] of [
    [container.startupProbe, '/healthz'],
    [container.livenessProbe, '/healthz'],
    [container.readinessProbe, '/readyz'],
  ] as const) {
    assert.deepEqual(probe.httpGet, { path, port: 'http', scheme: 'HTTP' })
  }
})

test('selectors match the pods of the daemon, and not the loader', () => {
  const { labels } = statefulSet.spec.template.metadata
  assert.equal(statefulSet.spec.serviceName, service.metadata.name)
  for (const selector of [statefulSet.spec.selector.matchLabels, service.spec.selector]) {
    assert.ok(Object.entries(selector).length > 0)
    for (const [key, value] of Object.entries(selector)) {
      assert.equal(labels[key], value)
    }
    const { labels: others } = loader.metadata
    assert.ok(Object.entries(selector).some(([key, value]) => others[key] !== value))
  }
})

test('volumes, mounts and paths of the configuration belong together', () => {
  const config = loadMounted()
  for (const spec of [pod, loader.spec]) {
    const names = spec.volumes.map((volume) => volume.name)
    assert.deepEqual(spec.containers[0].volumeMounts.map((mount) => mount.name).sort(), names.sort())
    const claims = spec.volumes.flatMap((volume) => volume.persistentVolumeClaim?.claimName ?? [])
    assert.deepEqual(claims, [claim.metadata.name])
  }
  const mount = (name: string) => container.volumeMounts.find((one) => one.name === name)?.mountPath ?? '?'
  assert.equal(
    pod.volumes.find((volume) => volume.name === 'config')?.configMap?.name,
    configMap.metadata.name,
  )
  assert.ok(config.model.startsWith(`${mount('models')}/`))
  assert.deepEqual(container.args, ['run', '--config', `${mount('config')}/config.yaml`])
})

test('the image is that of the Dockerfile, in the version of the package', () => {
  const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')
  const { version } = JSON.parse(read('package.json')) as { version: string }
  assert.equal(container.image, `examon-dec:${version}`)
  assert.match(read('deploy/Dockerfile'), new RegExp(`-t ${container.image} `))
  assert.match(read('deploy/Dockerfile'), new RegExp(`^USER ${pod.securityContext.runAsUser}:`, 'm'))
  // The catalogue lies where the image puts it.
  const workdir = /^WORKDIR (\/opt\/.*)$/m.exec(read('deploy/Dockerfile'))?.[1]
  assert.ok(loadMounted().catalogue?.startsWith(`${workdir}/config/`))
})

describe('no pod has more rights than it needs', () => {
  for (const [name, spec] of [
    ['examon-dec', pod],
    ['loader', loader.spec],
  ] as const) {
    test(name, () => {
      assert.equal(spec.automountServiceAccountToken, false)
      assert.equal(spec.securityContext.runAsNonRoot, true)
      assert.equal(spec.securityContext.seccompProfile.type, 'RuntimeDefault')
      assert.deepEqual(spec.containers[0].securityContext, {
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'] },
      })
    })
  }
})

test('the cluster waits longer for the end than the daemon takes', () => {
  assert.ok((pod.terminationGracePeriodSeconds ?? 0) > 10)
})

test('the README names every manifest and applies each', () => {
  const readme = readFileSync(new URL('../../deploy/README.md', import.meta.url), 'utf8')
  for (const name of readdirSync(folder)) assert.ok(readme.includes(`-f deploy/kubernetes/${name}`), name)
})

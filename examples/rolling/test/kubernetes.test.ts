import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { parseAllDocuments } from 'yaml'
import { drainMs, GRACE_MS, LAST_REQUESTS_MS, PATHS, port } from '../settings.ts'

interface Probe {
  readonly httpGet: { readonly path: string; readonly port: string }
  readonly timeoutSeconds?: number
  readonly periodSeconds: number
  readonly failureThreshold?: number
}

interface Container {
  readonly image: string
  readonly command: readonly string[]
  readonly ports: readonly { readonly name: string; readonly containerPort: number }[]
  readonly env: readonly { readonly name: string; readonly value: string }[]
  readonly startupProbe: Probe
  readonly readinessProbe: Probe
  readonly livenessProbe: Probe
}

interface PodSpec {
  readonly terminationGracePeriodSeconds: number
  readonly containers: readonly [Container]
}

interface Manifest {
  readonly kind: string
  readonly metadata: { readonly name: string }
  readonly spec: {
    readonly replicas?: number
    readonly strategy?: { readonly rollingUpdate: unknown }
    readonly selector: Readonly<Record<string, unknown>>
    readonly publishNotReadyAddresses?: boolean
    readonly template?: { readonly metadata: { readonly labels: unknown }; readonly spec: PodSpec }
  }
}

const documents = parseAllDocuments(readFileSync(join(import.meta.dirname, '../kubernetes.yaml'), 'utf8'))
const manifests = documents.map((document) => document.toJS() as Manifest)
const [deployment] = manifests
const pod = deployment?.spec.template
const [container] = pod?.spec.containers ?? []
const env = Object.fromEntries(container?.env.map(({ name, value }) => [name, value]) ?? [])

test('the manifest is well-formed, and all of it is about the same pods', () => {
  expect(documents.flatMap(({ errors }) => errors)).toEqual([])
  expect(manifests.map(({ kind }) => kind)).toEqual(['Deployment', 'Service', 'Service', 'PodDisruptionBudget'])
  for (const { kind, spec } of manifests) {
    expect(kind === 'Service' ? spec.selector : spec.selector.matchLabels).toEqual(pod?.metadata.labels)
  }
})

test('a new pod is ready before an old one leaves', () => {
  expect(deployment?.spec.strategy?.rollingUpdate).toEqual({ maxUnavailable: 0, maxSurge: 1 })
})

test('a pod is killed only after it has had the time that the service takes to leave', () => {
  const leavesInMs = Number(env.DRAIN_MS) + LAST_REQUESTS_MS + GRACE_MS
  expect(pod?.spec.terminationGracePeriodSeconds).toBe((leavesInMs + 10_000) / 1_000)
  expect(Number(env.DRAIN_MS)).toBe(drainMs)
})

test('the probes ask where the service answers, and wait for as long as it takes', () => {
  expect(container?.startupProbe.httpGet).toEqual({ path: PATHS.live, port: 'http' })
  expect(container?.livenessProbe.httpGet).toEqual({ path: PATHS.live, port: 'http' })
  expect(container?.readinessProbe.httpGet).toEqual({ path: PATHS.ready, port: 'http' })
  expect(container?.ports).toEqual([{ name: 'http', containerPort: port }])
  expect(Number(env.PORT)).toBe(port)
  // The service answers within a second.
  expect(container?.readinessProbe.timeoutSeconds).toBeGreaterThan(1)
})

test('who waits for a ticket can receive it: events go to pods that are not ready, too', () => {
  const services = manifests.filter(({ kind }) => kind === 'Service')
  expect(services.map(({ metadata, spec }) => [metadata.name, spec.publishNotReadyAddresses === true])).toEqual([
    ['companies', false],
    ['companies-events', true],
  ])
})

test('the service is started without anything in between that would keep signals from it, from an image without a host', () => {
  expect(container?.command).toEqual(['node', 'service.ts'])
  expect(container?.image).toMatch(/^[a-z]+:[\d.]+$/)
})

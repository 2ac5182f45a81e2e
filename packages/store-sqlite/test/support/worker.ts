import { randomUUID } from 'node:crypto'
import { parentPort, workerData } from 'node:worker_threads'
import { sqliteStore } from '../../src/sqlite-store.ts'
import { claim, patient } from './operations.ts'

/** Claims keys in a thread of its own, and says which it was granted. */
const store = sqliteStore({ path: String(workerData) })
const granted: string[] = []
for (let index = 0; index < 50; index++) {
  const key = `key ${index}`
  if ((await store.claim(key, randomUUID(), claim, patient)).kind === 'granted') granted.push(key)
}
await store.close()
parentPort?.postMessage(granted)

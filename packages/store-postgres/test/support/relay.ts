import { once } from 'node:events'
import { type AddressInfo, connect, createServer } from 'node:net'

/** A way to a server whose answers arrive all at once, when it has ended the connection. */
export async function startRelay(port: number): Promise<{ readonly port: number; stop(): Promise<void> }> {
  const relay = createServer((client) => {
    const server = connect(port, '127.0.0.1')
    const answers: Buffer[] = []
    for (const socket of [client, server]) socket.on('error', () => {})
    client.on('data', (bytes) => server.write(bytes)).on('close', () => server.destroy())
    server.on('data', (bytes) => answers.push(bytes)).on('close', () => client.end(Buffer.concat(answers)))
  })
  relay.listen(0, '127.0.0.1')
  await once(relay, 'listening')
  return {
    port: (relay.address() as AddressInfo).port,
    async stop() {
      const closed = once(relay, 'close')
      relay.close()
      await closed
    },
  }
}

/** Errors of this process that nobody has caught, until the returned function is called. */
export function uncaughtErrors(): { readonly errors: readonly unknown[]; stop(): void } {
  const errors: unknown[] = []
  const listener = (error: unknown) => void errors.push(error)
  process.on('uncaughtExceptionMonitor', listener)
  return { errors, stop: () => void process.off('uncaughtExceptionMonitor', listener) }
}

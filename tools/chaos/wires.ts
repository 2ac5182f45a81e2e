import { freePorts, startProxy, type TcpProxy } from '@tokenwell/test-servers'
import type { Pause } from './pause.ts'
import type { Planned } from './plan.ts'

/** A way to the server for each process. */
export async function layWires(port: number, count: number): Promise<TcpProxy[]> {
  return Promise.all(Array.from({ length: count }, () => startProxy({ port })))
}

export async function strikeWire(wire: TcpProxy, { kind, forMs }: Planned, pause: Pause): Promise<void> {
  if (kind === 'reset') return wire.reset()
  if (kind === 'cut') wire.cut()
  if (kind === 'replies swallowed') wire.swallowReplies()
  if (kind === 'replies late') wire.holdReplies()
  if (kind === 'requests late') wire.holdRequests()
  await pause(forMs)
  wire.heal()
}

/** Nobody reaches any server, whatever else happens to the wires, while `work` is done; then everybody reaches the one at this port. */
export async function whileNobodyIsReached(wires: readonly TcpProxy[], work: () => Promise<number>): Promise<void> {
  // Where nobody listens.
  const [nowhere = 0] = await freePorts(1)
  for (const wire of wires) {
    wire.redirect(nowhere)
    wire.reset()
  }
  const port = await work()
  for (const wire of wires) {
    wire.redirect(port)
    wire.reset()
  }
}

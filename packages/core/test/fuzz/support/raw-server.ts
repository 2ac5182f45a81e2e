import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { onTestFinished } from 'vitest'

/** What a server writes when a request has come, piece by piece, and how it parts. Without a last word the connection is left open. */
export type Exchange = () => readonly (string | Buffer | 'end' | 'leave' | 'reset')[]

/** A server that knows no HTTP: it writes what it is told to, whatever it is sent. Ends with the test. */
export async function serveRaw(next: () => Exchange): Promise<{ readonly url: string }> {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => sockets.delete(socket))
    let request = ''
    socket.on('data', (chunk) => {
      request += chunk.toString('latin1')
      const [head, body] = request.split('\r\n\r\n')
      const length = Number(/content-length: (\d+)/i.exec(head ?? '')?.[1])
      if (body === undefined || body.length < length) return
      request = ''
      void answer(socket, next()())
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }
}

async function answer(socket: Socket, pieces: ReturnType<Exchange>): Promise<void> {
  for (const piece of pieces) {
    if (socket.destroyed) return
    if (piece === 'leave') return
    if (piece === 'reset') socket.resetAndDestroy()
    else if (piece === 'end') socket.end()
    else if (!socket.write(piece)) await Promise.race([once(socket, 'drain'), once(socket, 'close')]).catch(() => {})
    // One piece, one packet.
    if (pieces.length > 2) await new Promise((resolve) => setImmediate(resolve))
  }
}

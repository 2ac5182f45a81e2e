import { tokens } from '@tokenwell/example-app'
import { fastify } from 'fastify'

const app = fastify({ logger: true })
app.post<{ Body: Buffer }>('/feishu/events', async (request, reply) => {
  const { status, headers, body } = await tokens.receiveEvent({ headers: request.headers, body: request.body })
  return reply.code(status).headers(headers).send(body)
})
await app.listen({ port: Number(process.env.PORT) })

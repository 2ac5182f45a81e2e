import { onEvent, tokens } from '@tokenwell/example-app'
import { fastify } from 'fastify'

const app = fastify({ logger: true })

app.register(async (scope) => {
  // In this scope alone a JSON body stays as it came.
  scope.addContentTypeParser('application/json', { parseAs: 'buffer' }, (_request, body, done) => done(null, body))

  scope.post<{ Body: Buffer }>('/feishu/events', async (request, reply) => {
    const { status, headers, body, event } = await tokens.receiveEvent({ headers: request.headers, body: request.body })
    if (event !== undefined) await onEvent(event)
    return reply.code(status).headers(headers).send(body)
  })
})
// … the rest of your app

await app.listen({ port: Number(process.env.PORT ?? 3000) })
console.log('listening')

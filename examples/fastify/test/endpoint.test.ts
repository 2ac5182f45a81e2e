import { describeExample } from '@tokenwell/endpoint'

describeExample('Fastify', {
  folder: import.meta.dirname,
  parsedFirst: ['test/parsed-first.ts'],
  advice: "Fastify: addContentTypeParser('application/json', { parseAs: 'buffer' }",
})

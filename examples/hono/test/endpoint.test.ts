import { describeExample } from '@tokenwell/endpoint'

describeExample('Hono', {
  folder: import.meta.dirname,
  parsedFirst: ['test/parsed-first.ts'],
  advice: 'Fetch API (Hono, Next.js route handlers, Deno, Bun): pass await request.text().',
})

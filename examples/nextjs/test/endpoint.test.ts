import { describeExample } from '@tokenwell/endpoint'

describeExample('Next.js', {
  folder: import.meta.dirname,
  parsedFirst: ['node_modules/next/dist/bin/next', 'dev', 'test/parsed-first'],
  advice: 'Fetch API (Hono, Next.js route handlers, Deno, Bun): pass await request.text().',
})

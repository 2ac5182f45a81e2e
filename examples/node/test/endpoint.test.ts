import { describeExample } from '@tokenwell/endpoint'

describeExample('node:http', {
  folder: import.meta.dirname,
  parsedFirst: ['test/parsed-first.ts'],
  advice: 'a request whose body was read already',
})
